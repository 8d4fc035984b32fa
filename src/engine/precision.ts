/** The default precision of an engine. */
import type { InferencePrecision, Precision } from '../compile/options.ts';
import type { EngineFacts } from './engine.ts';

/** `auto` means bfloat16 where the hardware supports it. */
export const choosePrecision = <Asked extends InferencePrecision | 'auto'>(
  precision: Asked,
  { fastBfloat16 }: Pick<EngineFacts, 'fastBfloat16'>,
): Exclude<Asked, 'auto'> | Precision =>
  precision !== 'auto' ? (precision as Exclude<Asked, 'auto'>) : fastBfloat16 ? 'bfloat16' : 'float32';

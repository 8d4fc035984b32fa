/** The default precision of an engine. */
import type { Precision } from '../compile/options.ts';
import type { EngineFacts } from './engine.ts';

/** `auto` means bfloat16 where the hardware supports it. */
export const choosePrecision = (
  precision: 'auto' | Precision,
  { fastBfloat16 }: Pick<EngineFacts, 'fastBfloat16'>,
): Precision => (precision !== 'auto' ? precision : fastBfloat16 ? 'bfloat16' : 'float32');

/** The precision that an engine computes in where nobody chooses one. */
import type { Precision } from '../compile/options.ts';
import type { EngineFacts } from './engine.ts';

/** `auto` is bfloat16 where the hardware has it. */
export const choosePrecision = (
  precision: 'auto' | Precision,
  { fastBfloat16 }: Pick<EngineFacts, 'fastBfloat16'>,
): Precision => (precision !== 'auto' ? precision : fastBfloat16 ? 'bfloat16' : 'float32');

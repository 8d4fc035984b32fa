/** The passes that every program needs before it can run. */
import type { Program } from '../../program.ts';
import { freeSlots } from './free-slots.ts';
import { loadLate } from './load-late.ts';
import { numberSlots } from './number-slots.ts';

export const finish = (draft: Program): Program => freeSlots(numberSlots(loadLate(draft)));

/**
 * Moves the beginning of each bucket's way between the processes up to where the last of its values is written, so that it travels
 * while the backward pass computes the rest. Buckets begin in the order in which they stand: it is the same in every program of
 * a training, and collectives that differ in order between processes would wait for each other for ever.
 */
import { type Program, reads, type Step, type StoreSpec } from '../program.ts';
import { StoredUses } from './facts/stored.ts';

const beginnings = new Set(['inception::accumulate_', 'inception::share_']);

const isBeginning = (step: Step | undefined): boolean => step?.do === 'call' && beginnings.has(step.operator);

export function reduceGradients(program: Program, { store }: { store: StoreSpec }): Program {
  if (!program.steps.some(isBeginning)) return program;
  const uses = new StoredUses(program, store);
  const isOther = (index: number) => !isBeginning(program.steps[index]);
  /** Moved steps, by the index of the step that they follow. */
  const moved = new Map<number, Step[]>();
  let place = -1;
  program.steps.forEach((step, index) => {
    if (!isBeginning(step)) return;
    for (const slot of reads(step)) place = Math.max(place, uses.lastBefore(slot, index, isOther));
    moved.set(place, [...(moved.get(place) ?? []), step]);
  });
  const steps = program.steps.flatMap((step, index) => [
    ...(isBeginning(step) ? [] : [step]),
    ...(moved.get(index) ?? []),
  ]);
  return { ...program, steps: [...(moved.get(-1) ?? []), ...steps] };
}

/**
 * From the losses of a sweep of learning rates to one rate, by the rule of fastai's `lr_find` (callback/schedule.py: the smoothed
 * loss of its Recorder, and `valley`). Pure.
 */

/** fastai's decay of the smoothed loss. */
const decay = 0.98;

/** The losses' moving average, without the bias towards zero of its beginning. */
export function smoothed(losses: readonly number[]): number[] {
  let average = 0;
  return losses.map((loss, index) => {
    average = decay * average + (1 - decay) * loss;
    return average / (1 - decay ** (index + 1));
  });
}

/** Whether a sweep ends here: the smoothed loss is four times its lowest, or is not a number. */
export const hasDiverged = (smoothedLosses: readonly number[]): boolean => {
  const last = smoothedLosses.at(-1) ?? 0;
  return !(last <= 4 * Math.min(...smoothedLosses.filter(Number.isFinite)));
};

/**
 * The index in the middle of the second third of the longest valley: the longest falling subsequence of the losses, counted back
 * from its end as if it had no gaps.
 * @returns undefined if no loss is lower than one before it
 */
export function valleyOf(losses: readonly number[]): number | undefined {
  const lengths: number[] = [];
  for (const loss of losses) {
    const before = lengths.filter((_, earlier) => loss < (losses[earlier] as number));
    lengths.push(1 + Math.max(0, ...before));
  }
  const longest = Math.max(0, ...lengths);
  if (longest < 2) return undefined;
  const start = lengths.indexOf(longest) - longest;
  const third = longest / 3;
  return start + Math.trunc(third) + Math.trunc(third / 2);
}

/** Of a sweep's ends, which say nothing: the first tenth is still the first average, the last five have diverged. */
const skipped = { first: 0.1, last: 5 };

export interface Sweep {
  readonly learningRates: readonly number[];
  /** As they were measured. */
  readonly losses: readonly number[];
  /** The number of steps that the sweep was to have. */
  readonly steps: number;
}

/** The learning rate that a sweep suggests; undefined if its loss never falls. */
export function suggestionOf({ learningRates, losses, steps }: Sweep): number | undefined {
  const first = Math.floor(steps * skipped.first);
  const kept = smoothed(losses).slice(first, -skipped.last);
  const end = kept.findIndex(Number.isNaN);
  const index = valleyOf(end < 0 ? kept : kept.slice(0, end));
  return index === undefined ? undefined : learningRates[first + index];
}

/** The learning rates of a sweep: from the first towards the last in equal factors, which fastai's does not quite reach. */
export const sweepRates = ({
  first,
  last,
  steps,
}: {
  readonly first: number;
  readonly last: number;
  readonly steps: number;
}): number[] => Array.from({ length: steps }, (_, step) => first * (last / first) ** (step / steps));

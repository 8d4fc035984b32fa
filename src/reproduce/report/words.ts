/** Numbers with their spread, and differences with their tests, in words. A null result reads as one. Pure. */
import type { ArmResult, RunResult } from '../results.ts';
import {
  type Interval,
  meanInterval,
  ratioInterval,
  signFlipTest,
  smallestP,
  spreadOf,
} from '../statistics.ts';

export const defined = <T>(values: readonly (T | undefined)[]): T[] =>
  values.filter((value) => value !== undefined);

export const armOf = (arms: readonly ArmResult[], name: string): ArmResult =>
  arms.find(({ arm }) => arm.name === name) as ArmResult;

/** What an arm is, in a sentence: without what stands after a colon. */
export const wordsOf = ({ arm }: Pick<ArmResult, 'arm'>): string => arm.about.split(':')[0] as string;

/** `4 finished, 1 died` */
export function endsOf(runs: readonly RunResult[]): string {
  if (runs.length === 0) return 'not run';
  const words = [
    ...(['finished', 'died', 'diverged'] as const).map(
      (ended) => [runs.filter(({ record }) => record?.ended === ended).length, ended] as const,
    ),
    [runs.filter(({ record }) => record === undefined).length, 'not ended'] as const,
  ];
  return words.flatMap(([number, word]) => (number === 0 ? [] : [`${number} ${word}`])).join(', ');
}

const level = 0.05;
/** Two values have an interval too, of one degree of freedom: it says nothing. */
const fewestForInterval = 3;

/** `12.34 ± 0.56 (11.80–12.90), n = 3` */
export function spreadText(values: readonly number[], digits = 2): string {
  if (values.length === 0) return '–';
  const { count, mean, deviation, min, max } = spreadOf(values);
  const round = (value: number) => value.toFixed(digits);
  if (count === 1) return `${round(mean)}, n = 1`;
  return `${round(mean)} ± ${round(deviation)} (${round(min)}–${round(max)}), n = ${count}`;
}

const intervalText = ({ mean, low, high }: Interval, digits = 2): string =>
  `${mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;

/** The cells of a row: the mean difference with its interval, p, and the number of pairs. */
export function differenceCells(
  differences: readonly number[],
): readonly [difference: string, p: string, pairs: string] {
  const { length } = differences;
  if (length === 0) return ['–', '–', '0'];
  const mean = spreadOf(differences).mean;
  if (length < fewestForInterval) return [mean.toFixed(2), '–', String(length)];
  return [intervalText(meanInterval(differences)), signFlipTest(differences).toFixed(3), String(length)];
}

export function ratioCells(ratios: readonly number[]): readonly [ratio: string, p: string, pairs: string] {
  const { length } = ratios;
  if (length === 0) return ['–', '–', '0'];
  const mean = Math.exp(spreadOf(ratios.map(Math.log)).mean);
  if (length < fewestForInterval) return [mean.toFixed(2), '–', String(length)];
  return [intervalText(ratioInterval(ratios)), signFlipTest(ratios.map(Math.log)).toFixed(3), String(length)];
}

/** One sentence: what the paired difference of two arms says, and whether it says anything. */
export function verdict(
  {
    arm,
    against,
    unit,
    quantity,
  }: { readonly arm: string; readonly against: string; readonly unit: string; readonly quantity: string },
  differences: readonly number[],
): string {
  const { length } = differences;
  const names = `${arm} against ${against}`;
  if (length === 0) return `${names}: no seed of which both ended with ${quantity}, so nothing is known.`;
  const { mean } = spreadOf(differences);
  const size = mean === 0 ? 'equal' : `${Math.abs(mean).toFixed(2)} ${unit} ${mean < 0 ? 'lower' : 'higher'}`;
  if (length === 1)
    return `${names}: ${quantity} ${size} with the one seed that was run; without more seeds this may be chance.`;
  if (length < fewestForInterval)
    return `${names}: ${quantity} ${size} on average of ${length} pairs, too few for a test or an interval.`;
  const p = signFlipTest(differences);
  const { low, high } = meanInterval(differences);
  const numbers = `${length} pairs, 95% interval ${low.toFixed(2)} to ${high.toFixed(2)}, p = ${p.toFixed(3)}`;
  if (p <= level) return `${names}: ${quantity} ${size} (${numbers}).`;
  const coarse =
    smallestP(length) > level
      ? `; with ${length} pairs p cannot be below ${smallestP(length).toFixed(3)}, whatever the data`
      : '';
  return `${names}: no difference in ${quantity} was established (${size} on average; ${numbers}${coarse}).`;
}

interface Compared {
  readonly arm: string;
  readonly against: string;
  readonly quantity: string;
}

/** One sentence: what the paired ratios of two arms say. */
export function ratioVerdict({ arm, against, quantity }: Compared, ratios: readonly number[]): string {
  const { length } = ratios;
  const names = `${arm} against ${against}`;
  if (length === 0) return `${names}: no seed of which both came to the ${quantity}.`;
  const [ratio, p] = ratioCells(ratios);
  const numbers = `${ratio} times the ${quantity}`;
  if (length < fewestForInterval)
    return `${names}: ${numbers}, of ${length} ${length === 1 ? 'pair' : 'pairs'}, too few for a test or an interval.`;
  const found = `${names}: ${numbers} (95% interval in brackets, ${length} pairs, p = ${p})`;
  return signFlipTest(ratios.map(Math.log)) <= level
    ? `${found}.`
    : `${found}: no difference was established.`;
}

export const howTested =
  'Numbers are the mean ± sample standard deviation (range) over seeds. Arms are paired by seed: the same initial values for layers of the same name, the same order and augmentation of images. Intervals are Student’s t, 95%, of the paired differences (of logarithms for ratios), and assume that these are normally distributed; p is of the exact two-sided sign-flip permutation test of the same pairs, which does not. Several pairs are tested without a correction: of twenty, one has p ≤ 0.05 by chance.';

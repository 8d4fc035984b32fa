/** Errors by the number of crops, of single networks and of their ensemble. Pure. */
import { type Compared, type CropsScore, ensembleName } from '../measures/crops.ts';
import { type Block, heading, list, table } from './blocks.ts';
import { spreadText, verdict } from './words.ts';

const of = (scores: readonly CropsScore[], member: string, count: number) =>
  scores.filter((one) => one.member === member && one.crops === count);

const paired = (one: readonly CropsScore[], other: readonly CropsScore[]): number[] =>
  one.flatMap(({ seed, top1Error }) => {
    const against = other.find((each) => each.seed === seed);
    return against ? [100 * (top1Error - against.top1Error)] : [];
  });

const words = { unit: 'points', quantity: 'error' } as const;

const nameOf = (count: number): string => `${count} ${count === 1 ? 'crop' : 'crops'}`;

const moreCrops = (
  member: string,
  { counts: [single = 1], count, scores }: Pick<Compared, 'counts'> & { readonly count: number } & Scores,
): string =>
  verdict(
    { ...words, arm: `${member}, ${nameOf(count)},`, against: `${single}` },
    paired(of(scores, member, count), of(scores, member, single)),
  );

const together = (member: string, { count, scores }: { readonly count: number } & Scores): string =>
  verdict(
    { ...words, arm: `the ensemble, ${nameOf(count)},`, against: `${member} with as many` },
    paired(of(scores, ensembleName, count), of(scores, member, count)),
  );

interface Scores {
  readonly scores: readonly CropsScore[];
}

/** What the most crops do for each member and for the ensemble, and what the ensemble does with them. */
export function cropLines({ counts, ensemble }: Compared, scores: readonly CropsScore[]): readonly string[] {
  const count = Math.max(...counts);
  return [
    ...[...ensemble, ensembleName].map((member) => moreCrops(member, { counts, count, scores })),
    ...ensemble.map((member) => together(member, { count, scores })),
  ];
}

export const cropBlocks = (
  { counts, ensemble }: Compared,
  scores: readonly CropsScore[],
): readonly Block[] => [
  heading('Crops and the ensemble'),
  table(
    ['Error, %', ...counts.map(nameOf)],
    [...ensemble, ensembleName].map((member) => [
      member,
      ...counts.map((count) => spreadText(of(scores, member, count).map(({ top1Error }) => 100 * top1Error))),
    ]),
  ),
  list(
    counts
      .filter((count) => count !== Math.max(...counts))
      .flatMap((count, index) => [
        ...(index === 0
          ? []
          : [...ensemble, ensembleName].map((member) => moreCrops(member, { counts, count, scores }))),
        ...ensemble.map((member) => together(member, { count, scores })),
      ]),
  ),
];

/** Which weights learn at which fraction of the learning rate, as ranges of the flat buffers. */
import type { Graph, Parameter } from '../../graph/graph.ts';
import { layerRates, type RateFactors } from '../../graph/parts.ts';
import { type Layout, layOut } from '../layout.ts';

/** Consecutive elements of the flat buffers that are updated alike. */
export interface RateGroup {
  /** Its views are `NAME/weights`, `NAME/momentum`, … */
  readonly name: string;
  readonly range: readonly [from: number, to: number];
  /** Whether weight decay applies. */
  readonly decayed: boolean;
  /** Factor of the learning rate. */
  readonly rate: number;
}

export interface LearningRates {
  /** All elements, in order. */
  readonly groups: readonly RateGroup[];
  /** The different factors, from the largest. */
  readonly factors: readonly number[];
  /** The factor of a parameter, or of merged ones, which belong to one part. */
  readonly of: (members: readonly Parameter[]) => number;
}

/** The groups that weight decay makes. */
export const wholeGroups = ({
  decayedLength,
  trainableLength,
}: Pick<Layout, 'decayedLength' | 'trainableLength'>): readonly RateGroup[] => [
  { name: 'decayed', range: [0, decayedLength], decayed: true, rate: 1 },
  { name: 'undecayed', range: [decayedLength, trainableLength], decayed: false, rate: 1 },
];

/** The same rate everywhere. */
export const oneRate = (lengths: Pick<Layout, 'decayedLength' | 'trainableLength'>): LearningRates => ({
  groups: wholeGroups(lengths),
  factors: [1],
  of: () => 1,
});

/** The rates of a graph's parameters. */
export function learningRates(graph: Graph, { decay = 1, residual = 1 }: RateFactors): LearningRates {
  const layout = layOut(graph);
  if (decay === 1 && residual === 1) return oneRate(layout);
  const rates = layerRates(graph, { decay, residual });
  const of = ([first]: readonly Parameter[]): number => rates.get(first?.name ?? '') ?? 1;
  const groups = wholeGroups(layout).flatMap((whole) => split(whole, layout, of));
  return { groups, factors: [...new Set(groups.map(({ rate }) => rate))].sort((a, b) => b - a), of };
}

/** The runs of one rate within a group; what lies between two parameters belongs to the first. */
function split(whole: RateGroup, { trainable }: Layout, of: LearningRates['of']): RateGroup[] {
  const [begin, end] = whole.range;
  const starts = trainable
    .filter(({ offset }) => offset >= begin && offset < end)
    .map(({ offset, members }) => ({ offset, rate: of(members) }))
    .filter(({ rate }, index, all) => rate !== all[index - 1]?.rate);
  return starts.map(({ offset, rate }, index) => ({
    name: `${whole.name}/${index}`,
    range: [offset, starts[index + 1]?.offset ?? end],
    decayed: whole.decayed,
    rate,
  }));
}

/** The groups' elements within a range, which is named: as one group, or as `NAME/0`, `NAME/1`, … */
export function groupsWithin(
  groups: readonly RateGroup[],
  { name, range: [begin, end] }: Pick<RateGroup, 'name' | 'range'>,
): readonly RateGroup[] {
  const within = groups.filter(({ range: [from, to] }) => from < end && begin < to);
  return within.map(({ range: [from, to], ...group }, index) => ({
    ...group,
    name: within.length === 1 ? name : `${name}/${index}`,
    range: [Math.max(from, begin), Math.min(to, end)],
  }));
}

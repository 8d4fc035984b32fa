/** The store of a training step. */
import {
  type FlatTensor,
  flatTensor,
  frozenTensors,
  type Layout,
  part,
  statisticsTensors,
} from '../layout.ts';
import { type RateGroup, wholeGroups } from '../optimizers/learning-rates.ts';
import { ruleOf } from '../optimizers/optimizers.ts';
import { flat, flatKinds } from '../optimizers/update.ts';
import type { TrainingOptions } from '../options.ts';
import type { StoreSpec, TensorSpec } from '../program.ts';
import { bucketRanges, type ReplicaTensors, replicaTensors } from './replicas/replica-tensors.ts';

interface StoreChoices extends Pick<TrainingOptions, 'optimizer'> {
  /** A copy of the convolutions' weights in bfloat16. */
  readonly roundedCopy: boolean;
  /** Whether each weight is updated separately, so that the store needs no room for its gradient. */
  readonly perWeight: boolean;
  readonly averages: boolean;
  readonly groups: readonly RateGroup[];
  /** Names of what the preparation of frozen parts stores. */
  readonly computed: readonly string[];
  readonly replicas?: ReplicaTensors;
}

/** Parameters, averages, optimiser state and gradients as views of flat buffers. */
export function trainingStore(
  layout: Layout,
  { optimizer, roundedCopy, perWeight, averages, groups, computed, replicas }: StoreChoices,
): StoreSpec {
  const { trainable, trainableLength: length, decayedLength } = layout;
  const [convolutionsBegin, convolutionsEnd] = layout.convolutions;
  const within = (begin: number, end: number) =>
    trainable.filter(({ offset }) => offset >= begin && offset < end);
  const gradientStart = perWeight ? decayedLength : 0;
  const weights = flatTensor(trainable, { kind: 'weights', prefix: '', dtype: 'float32', length });
  const averaged = flatTensor(trainable, { kind: 'averages', prefix: 'averages/', dtype: 'float32', length });
  const ranges = [...wholeGroups(layout), ...groups, ...(replicas ? bucketRanges(replicas, groups) : [])];
  const viewed = new Map(ranges.map((group) => [group.name, group]));
  const sums = replicas?.plan.meanGradient === 'sums' ? ['sums'] : [];
  const parts = [
    weights,
    ...statisticsTensors(layout),
    ...frozenTensors(layout),
    averages ? averaged : aliasOf(averaged, weights),
    flatTensor(within(gradientStart, length), {
      kind: 'gradient',
      prefix: 'gradient/',
      dtype: 'float32',
      length: length - gradientStart,
      start: gradientStart,
    }),
    ...Object.entries(ruleOf(optimizer).state).map(([kind, fill]) =>
      flatTensor(trainable, { kind, prefix: `${kind}/`, dtype: 'float32', length, fill }),
    ),
    ...(roundedCopy
      ? [
          flatTensor(within(convolutionsBegin, convolutionsEnd), {
            kind: 'bfloat16',
            prefix: 'bfloat16/',
            dtype: 'bfloat16',
            length: convolutionsEnd - convolutionsBegin,
            start: convolutionsBegin,
          }),
        ]
      : []),
    ...(replicas ? replicaTensors(layout, replicas) : []),
  ];
  return {
    tensors: parts.flatMap(({ tensors }) => tensors),
    views: [
      ...parts.flatMap(({ views }) => views),
      ...[...viewed.values()].flatMap(({ name, range: [begin, end] }) =>
        [...flatKinds({ optimizer }), ...sums].flatMap((kind) => {
          const start = kind === 'gradient' ? gradientStart : 0;
          return begin < start ? [] : [part(`${name}/${kind}`, flat(kind), [begin - start, end - start])];
        }),
      ),
      part('convolutions/weights', 'flat/weights', [convolutionsBegin, convolutionsEnd]),
    ],
    ...(computed.length > 0 && { computed }),
  };
}

/** The same names, as views of another flat tensor. */
function aliasOf({ tensors, views }: FlatTensor, target: FlatTensor): FlatTensor {
  const [alias] = tensors as readonly [TensorSpec];
  const [memory] = target.tensors as readonly [TensorSpec];
  const whole = part(alias.name, memory.name, [0, memory.shape[0] as number]);
  return { tensors: [], views: [whole, ...views.map((view) => ({ ...view, of: memory.name }))] };
}

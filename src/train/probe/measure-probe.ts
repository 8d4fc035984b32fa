/** Probes of a model on a data set: features of the parts, and a classifier on each. */
import type { Dataset } from '../../data/dataset.ts';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../errors.ts';
import { type FeatureOptions, type FeatureTable, featuresOf } from '../../features/compute-features.ts';
import type { FeatureModel } from '../../features/feature-model.ts';
import type { Part } from '../../features/parts.ts';
import { fitProbe, type Probe } from '../../probe/fit-probe.ts';

/** For the regressions of several parts. */
const maxSeconds = 600;

export interface MeasureOptions extends Omit<FeatureOptions, 'model' | 'parts' | 'onBroken'> {
  readonly engine: Engine;
  readonly model: FeatureModel;
  readonly parts: readonly Part[];
  readonly train: Dataset;
  /** Undefined: the figures are those of a cross-validation. */
  readonly validation: Dataset | undefined;
  readonly classWeights?: readonly number[] | undefined;
  /** Called for an image that cannot be used. */
  readonly onBroken?: ((dataset: Dataset, index: number, error: Error) => void) | undefined;
}

export interface MeasuredProbes {
  /** One for each part, the best first. */
  readonly probes: readonly [Probe, ...Probe[]];
  readonly validation: FeatureTable | undefined;
}

/** @throws UsageError for training images of fewer than two classes or validation images that cannot be used; as `fitProbe`. */
export async function measureProbes(options: MeasureOptions): Promise<MeasuredProbes> {
  const { engine, model, parts, train, validation, classWeights, onNotice, onBroken, ...rest } = options;
  const tableOf = async (dataset: Dataset) => {
    const table = await tableOfSplit(dataset, { ...rest, model, parts, onNotice, onBroken });
    return { table, labels: table.indices.map((index) => dataset.label(index)) };
  };
  const learnt = await tableOf(train);
  const held = validation && (await tableOf(validation));
  const classes = train.classes.length;
  if (new Set(learnt.labels).size < 2)
    throw new UsageError(
      `${train.name}: expected images of at least two classes to learn from, received ${learnt.labels.length} of ${new Set(learnt.labels).size}`,
    );
  if (validation && held?.labels.length === 0)
    throw new UsageError(`${validation.name}: expected validation images, none of them can be used`);
  const probes: Probe[] = [];
  let spent = 0;
  for (const [which, part] of parts.entries()) {
    const [before] = probes.slice(-1);
    const expected = before === undefined ? 0 : (spent / probes.length) * (part.length / before.part.length);
    if (which > 0 && spent + expected > maxSeconds) {
      const left = parts.slice(which).map(({ name }) => name);
      onNotice?.(
        `left out: ${left.join(', ')}; the regressions of the other parts took ${Math.round(spent)} s, and a probe tries parts for ${maxSeconds / 60} minutes at most (--features PART takes one of them)`,
      );
      break;
    }
    const begin = performance.now();
    const valuesOf = ({ table, labels }: typeof learnt) => ({
      values: table.parts[which]?.values as Float32Array,
      labels,
    });
    probes.push(
      await fitProbe(engine, {
        part,
        train: valuesOf(learnt),
        validation: held && valuesOf(held),
        classes,
        classWeights,
      }),
    );
    spent += (performance.now() - begin) / 1000;
    rest.signal?.throwIfAborted();
  }
  // Ties of the error, which is coarse for small sets, go to the smaller loss.
  probes.sort((a, b) => a.error - b.error || a.loss - b.loss);
  return { probes: probes as [Probe, ...Probe[]], validation: held?.table };
}

type TableOptions = Pick<MeasureOptions, 'model' | 'parts' | 'onBroken' | 'onNotice' | 'cache'> &
  Omit<FeatureOptions, 'onBroken'>;

/** Features of one split, which are said. */
export async function tableOfSplit(
  dataset: Dataset,
  { onBroken, ...options }: TableOptions,
): Promise<FeatureTable> {
  const table = await featuresOf(dataset, {
    ...options,
    onBroken: (index, error) => onBroken?.(dataset, index, error),
  });
  const { size } = options.model.description.preprocessing;
  options.onNotice?.(describeTable(table, { dataset, size, cache: options.cache }));
  return table;
}

/** One line: how many images, and how many of them were in the cache. */
export function describeTable(
  { indices, cached, computed, seconds, parts }: FeatureTable,
  {
    dataset,
    size,
    cache,
  }: {
    readonly dataset: Dataset;
    /** Of the network's input. */
    readonly size: readonly [height: number, width: number];
    readonly cache: string | undefined;
  },
): string {
  const count = (value: number) => value.toLocaleString('en-US');
  const names = parts.map(({ part }) => part.name).join(', ');
  const from = cached === 0 ? '' : `${count(cached)} from the cache, `;
  const kept = cache === undefined || computed === 0 ? '' : `, kept in ${cache}`;
  return `features: ${dataset.name}, ${count(indices.length)} images at ${size.join('×')} (${names}): ${from}${count(computed)} computed in ${seconds.toFixed(1)} s${kept}`;
}

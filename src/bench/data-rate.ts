/** Measures how many images per second become training batches; this must exceed what a step consumes. */
import { type TrainingBatchOptions, trainingBatches } from '../data/batches.ts';
import type { Dataset } from '../data/dataset.ts';
import { resolveRecipe } from '../train/recipe/recipe.ts';
import { type Summary, summarise } from './statistics.ts';

export interface DataRate {
  readonly data: string;
  readonly size: readonly [height: number, width: number];
  readonly batch: number;
  readonly imagesPerSecond: number;
  /** Milliseconds per batch. */
  readonly ms: Summary;
}

export async function measureData(
  dataset: Dataset,
  {
    rounds,
    ...options
  }: { readonly rounds: number } & Pick<TrainingBatchOptions, 'batch' | 'size' | 'onBroken'>,
): Promise<DataRate> {
  const { batch, size } = options;
  const { augmentation } = resolveRecipe('paper', { batch });
  const batches = trainingBatches(dataset, { ...options, augmentation, seed: 1 });
  const times: number[] = [];
  // The first few are already prefetched.
  const prefetched = 4;
  for (let round = -prefetched; round < rounds; round++) {
    const begin = performance.now();
    await batches.next();
    if (round >= 0) times.push(performance.now() - begin);
  }
  await batches.return(undefined);
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  return { data: dataset.name, size, batch, imagesPerSecond: (batch * 1000) / mean, ms: summarise(times) };
}

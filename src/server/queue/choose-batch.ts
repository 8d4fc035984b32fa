/**
 * Chooses a model's batch size. A GPU computes sixteen images in little more than the time of one; two CPU cores need sixteen
 * times as long, so that a batch would only make its first image wait for its last.
 */

export interface ChooseBatchOptions {
  /** A fixed batch size; nothing is measured. */
  readonly fixed?: number | undefined;
  /** Default 16. */
  readonly maxBatch?: number;
}

/**
 * How much longer than a single image a batch may take. A request waits for the running batch and then for its own: if batches
 * took twice as long, latency would be four times that of a single image instead of twice.
 */
const maxSlowdown = 1.1;

const runs = 5;

/**
 * Measures doubling batch sizes as long as they take hardly longer. `run` computes `count` images; every size up to the chosen
 * one is run once as a warm-up, so that no request waits for compilation or memory planning.
 */
export async function chooseBatch(
  run: (count: number) => Promise<unknown>,
  { fixed, maxBatch = 16 }: ChooseBatchOptions = {},
): Promise<number> {
  const batch = fixed ?? (await largestInTime(run, maxBatch));
  for (let count = 1; count <= batch; count++) await run(count);
  return batch;
}

async function largestInTime(run: (count: number) => Promise<unknown>, maxBatch: number): Promise<number> {
  // Other processes can only slow a run down, so a single image counts with its fastest run. A batch counts with its mean:
  // one that is fast only now and then adds latency the rest of the time.
  const limitMs = Math.min(...(await times(run, 1))) * maxSlowdown;
  const mean = async (count: number) => (await times(run, count)).reduce((sum, ms) => sum + ms, 0) / runs;
  let batch = 1;
  while (batch * 2 <= maxBatch && (await mean(batch * 2)) <= limitMs) batch *= 2;
  return batch;
}

/** Milliseconds of each run. */
async function times(run: (count: number) => Promise<unknown>, count: number): Promise<number[]> {
  await run(count);
  const elapsed: number[] = [];
  for (let repeat = 0; repeat < runs; repeat++) {
    const begin = performance.now();
    await run(count);
    elapsed.push(performance.now() - begin);
  }
  return elapsed;
}

/**
 * How many images a model should take at a time. A graphics card computes sixteen in little more than the time of one; two
 * cores of a processor need sixteen times as long, so that a batch would only make its first image wait for its last.
 */

export interface ChooseBatchOptions {
  /** A number that was asked for is taken as it is. */
  readonly asked?: number | undefined;
  /** Default 16. */
  readonly most?: number;
}

/**
 * How much longer than one image a batch may take. Whoever is let in waits for the batch that runs and is in the next one: with
 * batches of twice the time his answer comes after four times that of an image alone, and not after two.
 */
const mostTime = 1.1;

const runs = 5;

/**
 * Measures doubled batches for as long as they take hardly longer. `run` computes so many images; it is left warm for every
 * number up to the chosen one, so that no request waits for the making of programs or the planning of memory.
 */
export async function chooseBatch(
  run: (count: number) => Promise<unknown>,
  { asked, most = 16 }: ChooseBatchOptions = {},
): Promise<number> {
  const batch = asked ?? (await largestInTime(run, most));
  for (let count = 1; count <= batch; count++) await run(count);
  return batch;
}

async function largestInTime(run: (count: number) => Promise<unknown>, most: number): Promise<number> {
  // Other processes only ever make it slower: the fastest run of one image, but usual ones of a batch, since a batch that is
  // fast only now and then makes somebody wait whenever it is not.
  const longest = Math.min(...(await times(run, 1))) * mostTime;
  const usual = async (count: number) => (await times(run, count)).reduce((sum, ms) => sum + ms, 0) / runs;
  let batch = 1;
  while (batch * 2 <= most && (await usual(batch * 2)) <= longest) batch *= 2;
  return batch;
}

/** Milliseconds of each run. */
async function times(run: (count: number) => Promise<unknown>, count: number): Promise<number[]> {
  await run(count);
  const found: number[] = [];
  for (let repeat = 0; repeat < runs; repeat++) {
    const begin = performance.now();
    await run(count);
    found.push(performance.now() - begin);
  }
  return found;
}

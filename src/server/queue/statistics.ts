/** Statistics of a model since the start, in the form of Triton's statistics extension: counts and nanoseconds. */
import type { BatchReport } from './batch-queue.ts';

interface Duration {
  count: number;
  ns: number;
}

const add = (duration: Duration, { count, seconds }: { count: number; seconds: number }): void => {
  duration.count += count;
  duration.ns += Math.round(seconds * 1e9);
};

export class ModelStatistics {
  #lastMs = 0;
  #images = 0;
  #batches = 0;
  readonly #success: Duration = { count: 0, ns: 0 };
  readonly #fail: Duration = { count: 0, ns: 0 };
  readonly #queue: Duration = { count: 0, ns: 0 };
  readonly #compute: Duration = { count: 0, ns: 0 };
  readonly #bySize = new Map<number, Duration>();

  onBatch({ rows, waits, seconds, failed }: BatchReport): void {
    if (failed) return;
    this.#images += rows;
    this.#batches++;
    add(this.#queue, { count: rows, seconds: waits.reduce((sum, wait) => sum + wait, 0) });
    add(this.#compute, { count: rows, seconds: seconds * rows });
    const size = this.#bySize.get(rows) ?? { count: 0, ns: 0 };
    add(size, { count: 1, seconds });
    this.#bySize.set(rows, size);
  }

  onRequest({ seconds, failed }: { seconds: number; failed: boolean }): void {
    this.#lastMs = Date.now();
    add(failed ? this.#fail : this.#success, { count: 1, seconds });
  }

  report({ name, version }: { name: string; version: string }) {
    const zero = { count: 0, ns: 0 };
    return {
      name,
      version,
      last_inference: this.#lastMs,
      inference_count: this.#images,
      execution_count: this.#batches,
      inference_stats: {
        success: { ...this.#success },
        fail: { ...this.#fail },
        queue: { ...this.#queue },
        compute_input: zero,
        compute_infer: { ...this.#compute },
        compute_output: zero,
        cache_hit: zero,
        cache_miss: zero,
      },
      batch_stats: [...this.#bySize]
        .sort(([a], [b]) => a - b)
        .map(([size, infer]) => ({
          batch_size: size,
          compute_input: zero,
          compute_infer: { ...infer },
          compute_output: zero,
        })),
    };
  }
}

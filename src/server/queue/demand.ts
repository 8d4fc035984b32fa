/** Estimates the load on a model, and whether it exceeds what the model can do. */

/** Averaging window in batches: long enough to smooth random arrivals, no longer than a burst. */
const batches = 5;
const minSeconds = 0.1;

/**
 * Load (as a fraction of the model's throughput) at which an overload begins and ends. Clients that wait for a response before
 * they send again create a load of 1 and lose nothing by waiting. With these values and a queue of four, random arrivals at half
 * the throughput find the queue full in 0.5% of cases; arrivals at twice the throughput are detected after about ten requests
 * and stay detected.
 */
const [overloadBegins, overloadEnds] = [1.25, 0.6];

/** Measured speed of a model. */
export interface Pace {
  readonly rowSeconds: number;
  readonly batchSeconds: number;
}

export class Demand {
  #rowsPerSecond = 0;
  #updatedAt = 0;
  #overloaded = false;

  /** Counts requested rows, whether accepted or refused. */
  add(rows: number, pace: Pace): void {
    const span = spanOf(pace);
    this.#rowsPerSecond = this.#decayed(span) + rows / span;
    this.#updatedAt = performance.now();
  }

  isOverload(pace: Pace): boolean {
    const load = this.#decayed(spanOf(pace)) * pace.rowSeconds;
    this.#overloaded = load > (this.#overloaded ? overloadEnds : overloadBegins);
    return this.#overloaded;
  }

  #decayed(span: number): number {
    return this.#rowsPerSecond * Math.exp((this.#updatedAt - performance.now()) / 1000 / span);
  }
}

const spanOf = ({ batchSeconds }: Pace): number => Math.max(minSeconds, batches * batchSeconds);

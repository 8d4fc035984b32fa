/** How much of a model's time is asked for at the moment, and whether that is more than there is. */

/** Over how many batches it is averaged: long enough for the moments of requests not to matter, and no longer than a burst. */
const batches = 5;
const leastSeconds = 0.1;

/**
 * Shares of the model's time at which an overload begins and ends. Clients who wait for their answers before they ask again ask
 * for 1, and lose nothing by waiting. With these and a queue of four, requests at random moments for half of what the model can do
 * find it full in 0.5 of 100 cases; twice what it can do is noticed after about ten requests, and stays noticed.
 */
const [begins, ends] = [1.25, 0.6];

/** How long a model takes, as measured. */
export interface Pace {
  readonly rowSeconds: number;
  readonly batchSeconds: number;
}

export class Demand {
  #rowsPerSecond = 0;
  #at = 0;
  #overloaded = false;

  /** Rows that somebody wants, whether there is room for them or not. */
  add(rows: number, pace: Pace): void {
    const span = spanOf(pace);
    this.#rowsPerSecond = this.#decayed(span) + rows / span;
    this.#at = performance.now();
  }

  isOverload(pace: Pace): boolean {
    const share = this.#decayed(spanOf(pace)) * pace.rowSeconds;
    this.#overloaded = share > (this.#overloaded ? ends : begins);
    return this.#overloaded;
  }

  #decayed(span: number): number {
    return this.#rowsPerSecond * Math.exp((this.#at - performance.now()) / 1000 / span);
  }
}

const spanOf = ({ batchSeconds }: Pace): number => Math.max(leastSeconds, batches * batchSeconds);

/** Averages the metrics of the steps between two lines of `metrics.jsonl`. */
import type { Position } from './run/checkpoint.ts';
import type { StepMetrics } from './run/run-folder.ts';

/** The metrics of one step. */
export interface Measured {
  readonly loss: number;
  /** Number of misclassified images. */
  readonly wrong: number;
  readonly gradientNorm: number;
  readonly zeroShare: number;
}

/** In milliseconds; the wait for data is part of the elapsed time. */
interface Times {
  readonly elapsed: number;
  readonly waited: number;
}

export class MetricsWindow {
  readonly #batch: number;
  #entries: (Measured & Times)[] = [];

  constructor(batch: number) {
    this.#batch = batch;
  }

  add(measured: Measured, times: Times): void {
    this.#entries.push({ ...measured, ...times });
  }

  /** Returns the means since the last call and empties the window. */
  take({
    position,
    learningRate,
    epoch,
  }: {
    position: Position;
    learningRate: number;
    epoch: number;
  }): StepMetrics {
    const entries = this.#entries;
    this.#entries = [];
    const sum = (key: keyof (Measured & Times)) => entries.reduce((total, entry) => total + entry[key], 0);
    const images = entries.length * this.#batch;
    return {
      kind: 'train',
      step: position.step,
      epoch,
      loss: sum('loss') / entries.length,
      trainError: sum('wrong') / images,
      learningRate,
      gradientNorm: sum('gradientNorm') / entries.length,
      zeroShare: sum('zeroShare') / entries.length,
      imagesPerSecond: (images / sum('elapsed')) * 1000,
      waitShare: sum('waited') / sum('elapsed'),
      residentBytes: process.memoryUsage.rss(),
      elapsedSeconds: position.elapsedSeconds,
    };
  }
}

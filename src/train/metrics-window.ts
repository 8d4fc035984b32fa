/** Means over the steps between two lines of `metrics.jsonl`. */
import type { Position } from './run/checkpoint.ts';
import type { StepMetrics } from './run/run-folder.ts';

/** What one step gives. */
export interface Measured {
  readonly loss: number;
  /** Images whose highest logit is another class. */
  readonly wrong: number;
  readonly gradientNorm: number;
  readonly zeroShare: number;
}

/** In milliseconds; what was waited for data is part of what elapsed. */
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

  /** The means since the last call, and an empty window. */
  take({ at, learningRate, epoch }: { at: Position; learningRate: number; epoch: number }): StepMetrics {
    const entries = this.#entries;
    this.#entries = [];
    const sum = (key: keyof (Measured & Times)) => entries.reduce((total, entry) => total + entry[key], 0);
    const images = entries.length * this.#batch;
    return {
      kind: 'train',
      step: at.step,
      epoch,
      loss: sum('loss') / entries.length,
      trainError: sum('wrong') / images,
      learningRate,
      gradientNorm: sum('gradientNorm') / entries.length,
      zeroShare: sum('zeroShare') / entries.length,
      imagesPerSecond: (images / sum('elapsed')) * 1000,
      waitShare: sum('waited') / sum('elapsed'),
      residentBytes: process.memoryUsage.rss(),
      elapsedSeconds: at.elapsedSeconds,
    };
  }
}

/** Averages the metrics of the steps between two lines of `metrics.jsonl`. */
import type { StepMetrics } from './run/run-folder.ts';
import type { Position, WindowSums } from './run/training-state.ts';

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

/** Adds a step to a window. */
export const addStep = (window: WindowSums, step: Measured & Times): WindowSums => ({
  steps: window.steps + 1,
  loss: window.loss + step.loss,
  wrong: window.wrong + step.wrong,
  gradientNorm: window.gradientNorm + step.gradientNorm,
  zeroShare: window.zeroShare + step.zeroShare,
  elapsed: window.elapsed + step.elapsed,
  waited: window.waited + step.waited,
});

/** The means of a window that is not empty, as a line of `metrics.jsonl`. */
export function meansOf(
  window: WindowSums,
  {
    batch,
    position,
    learningRate,
    epoch,
  }: { batch: number; position: Position; learningRate: number; epoch: number },
): StepMetrics {
  const { steps, elapsed } = window;
  const images = steps * batch;
  return {
    kind: 'train',
    step: position.step,
    epoch,
    loss: window.loss / steps,
    trainError: window.wrong / images,
    learningRate,
    gradientNorm: window.gradientNorm / steps,
    zeroShare: window.zeroShare / steps,
    imagesPerSecond: (images / elapsed) * 1000,
    waitShare: window.waited / elapsed,
    residentBytes: process.memoryUsage.rss(),
    elapsedSeconds: position.elapsedSeconds,
  };
}

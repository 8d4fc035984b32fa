/** Training progress on standard error: a bar on a terminal, otherwise a line every ten seconds. */
import type { Progress } from '../../train/run-loop.ts';
import { duration, percent } from './format.ts';
import { openBar } from './progress-bar.ts';

export interface ProgressView {
  say(line: string): void;
  start(position: { step: number; totalSteps: number; batch: number }): void;
  step(progress: Progress): void;
  stop(): void;
}

/** An exponential moving average: loss, error and speed vary from step to step. */
class MovingAverage {
  #value: number | undefined;

  add(value: number): number {
    this.#value = this.#value === undefined ? value : this.#value * 0.95 + value * 0.05;
    return this.#value;
  }
}

const plainEveryMs = 10_000;

export function openProgress(output: NodeJS.WriteStream = process.stderr): ProgressView {
  const [loss, error, speed] = [new MovingAverage(), new MovingAverage(), new MovingAverage()];
  let batch = 1;
  let lastLine = Number.NEGATIVE_INFINITY;
  const format = '{bar} {value}/{total}  loss {loss}  error {error}  {speed} images/s  {left} left';
  const bar = openBar(output, format);
  let barRuns = false;
  const shown = ({ step, totalSteps, ...latest }: Progress) => {
    const imagesPerSecond = speed.add(latest.imagesPerSecond);
    return {
      loss: loss.add(latest.loss).toFixed(3),
      error: percent(error.add(latest.error)),
      speed: imagesPerSecond.toFixed(imagesPerSecond < 10 ? 1 : 0),
      left: duration(((totalSteps - step) * batch) / imagesPerSecond),
    };
  };
  return {
    say(line) {
      // The next update draws the bar again below the line.
      if (barRuns) output.write('\r\u001b[K');
      output.write(`${line}\n`);
    },
    start({ step, totalSteps, batch: size }) {
      batch = size;
      bar?.start(totalSteps, step, { loss: '–', error: '–', speed: '–', left: '–' });
      barRuns = bar !== undefined;
    },
    step(progress) {
      const values = shown(progress);
      if (bar) {
        bar.update(progress.step, values);
        return;
      }
      const now = performance.now();
      if (now - lastLine < plainEveryMs) return;
      lastLine = now;
      output.write(
        `step ${progress.step}/${progress.totalSteps}  loss ${values.loss}  error ${values.error}  ${values.speed} images/s  ${values.left} left\n`,
      );
    },
    stop() {
      if (barRuns) bar?.stop();
      barRuns = false;
    },
  };
}

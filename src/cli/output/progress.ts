/** How a training shows where it is: a bar on a terminal, a plain line now and then elsewhere. All on standard error. */
import type { Progress } from '../../train/run-loop.ts';
import { duration, percent } from './format.ts';
import { openBar } from './progress-bar.ts';

export interface ProgressView {
  say(line: string): void;
  start(from: { step: number; totalSteps: number; batch: number }): void;
  step(progress: Progress): void;
  stop(): void;
}

/** Loss, error and speed jump from step to step; what is shown follows them slowly. */
class Smooth {
  #value: number | undefined;

  add(value: number): number {
    this.#value = this.#value === undefined ? value : this.#value * 0.95 + value * 0.05;
    return this.#value;
  }
}

const plainEveryMs = 10_000;

export function openProgress(output: NodeJS.WriteStream = process.stderr): ProgressView {
  const [loss, error, speed] = [new Smooth(), new Smooth(), new Smooth()];
  let batch = 1;
  let lastLine = Number.NEGATIVE_INFINITY;
  const format = '{bar} {value}/{total}  loss {loss}  error {error}  {speed} images/s  {left} left';
  const bar = openBar(output, format);
  let barRuns = false;
  const shown = ({ step, totalSteps, ...now }: Progress) => {
    const imagesPerSecond = speed.add(now.imagesPerSecond);
    return {
      loss: loss.add(now.loss).toFixed(3),
      error: percent(error.add(now.error)),
      speed: imagesPerSecond.toFixed(imagesPerSecond < 10 ? 1 : 0),
      left: duration(((totalSteps - step) * batch) / imagesPerSecond),
    };
  };
  return {
    say(line) {
      // The bar is drawn again below the line by its next update.
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

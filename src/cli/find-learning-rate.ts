/** `inception train --find-learning-rate`: tries learning rates, and suggests one. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { UsageError } from '../errors.ts';
import { findLearningRate } from '../train/find-learning-rate.ts';
import type { TrainOptions } from '../train/train-options.ts';
import { sweepFiles } from '../train/trial/sweep.ts';
import { noticesTo } from './options/model-options.ts';
import { openBar } from './output/progress-bar.ts';

export const findFlag = '--find-learning-rate';
export const findAbout =
  'instead of training, try learning rates from 1e-7 to 10 in 100 steps; writes learning-rate.json and .svg into the run folder';

/** Options of a training's length, schedule and evaluations, of which a sweep has none, and of what else is not a sweep. */
const idle = new Set([
  ...['epochs', 'time', 'patience', 'keepBest', 'learningRate', 'averageDecay'],
  ...['schedule', 'decayFactor', 'decayEvery', 'warmup'],
  ...[
    'evaluateEvery',
    'saveEvery',
    'limitValidation',
    'limitTest',
    'evaluationCrop',
    'probe',
    'preview',
    'processes',
    'peerTimeout',
  ],
]);

/** @throws UsageError naming an option that a sweep of learning rates has no use for */
export function refuseWithFind(command: Command): void {
  const option = command.options.find((option) => {
    const name = option.attributeName();
    return idle.has(name) && command.getOptionValueSource(name) === 'cli';
  });
  if (option) throw new UsageError(`${option.long}: has no effect with ${findFlag}`);
}

/** Sweeps, and prints the suggestion on standard output. */
export async function showLearningRate(options: TrainOptions): Promise<void> {
  const bar = openBar(process.stderr, '{bar} {value}/{total}  loss {loss}');
  const notices = noticesTo(process.stderr);
  const found = await findLearningRate(options, {
    ...notices,
    onStep: ({ step, steps, loss }) => {
      const shown = { loss: loss.toFixed(3) };
      if (step > 1) bar?.update(step, shown);
      else bar?.start(steps, step, shown);
    },
  }).finally(() => {
    notices.end();
    if (bar?.isActive) bar.stop();
  });
  const { suggestion, recipeLearningRate, learningRates, diverged } = found;
  const ended = diverged ? 'until the loss diverged' : 'without the loss diverging';
  process.stderr.write(
    `${learningRates.length} steps of batch ${found.batch}, learning rates from ${learningRates[0]} to ${learningRates.at(-1)?.toPrecision(2)}, ${ended}\n` +
      `curve: ${join(options.out, sweepFiles.chart)}, ${join(options.out, sweepFiles.sweep)}\n` +
      `the recipe's own is ${Number(recipeLearningRate.toPrecision(3))}; --learning-rate ${suggestion} takes the suggestion\n`,
  );
  process.stdout.write(`learning rate ${suggestion}\n`);
}

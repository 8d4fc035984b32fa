/**
 * The learning-rate finder: a training whose rate rises from almost nothing until the loss diverges (Leslie Smith, arXiv
 * 1506.01186, with the numbers of fastai's `lr_find`). Its weights are thrown away.
 */
import { mkdir } from 'node:fs/promises';
import { openTorch } from '../../engine/torch.ts';
import { UsageError } from '../../errors.ts';
import { replaceText } from '../../replace-file.ts';
import { RunFolder } from '../run/run-folder.ts';
import { openStartingWeights } from '../starting/starting-weights.ts';
import type { TrainOptions } from '../train-options.ts';
import { TrainingError } from '../training-error.ts';
import { fitConfiguration } from './fit-configuration.ts';
import { type LearningRateSweep, type SweepHooks, sweepFiles } from './sweep.ts';
import { drawSweep } from './sweep-chart.ts';
import { onTrial, type Trial } from './trial.ts';
import { hasDiverged, smoothed, suggestionOf, sweepRates } from './valley.ts';

/** fastai's `lr_find`. */
const usualRange = { first: 1e-7, last: 10, steps: 100 };

type Range = typeof usualRange;

async function sweep(
  { next }: Trial,
  {
    range,
    onStep,
    signal,
  }: SweepHooks & { readonly range: Range; readonly signal?: AbortSignal | undefined },
) {
  const learningRates: number[] = [];
  const losses: number[] = [];
  let diverged = false;
  for (const rate of sweepRates(range)) {
    signal?.throwIfAborted();
    const { loss } = await next(rate);
    learningRates.push(rate);
    losses.push(loss);
    onStep?.({ step: losses.length, steps: range.steps, loss });
    diverged = hasDiverged(smoothed(losses));
    if (diverged) break;
  }
  return { learningRates, losses, diverged };
}

/** Of a training's length, schedule and evaluations, of which a sweep has none. */
const idleInRecipe = [
  ...['epochs', 'patience', 'keepBest', 'learningRate', 'schedule', 'averageDecay', 'evaluationCrop'],
] as const;
const idleOptions = ['evaluateEvery', 'saveEverySteps', 'limitValidation', 'limitTest', 'probe'] as const;

/** @throws UsageError naming an option that a sweep of learning rates has no use for */
function refuseIdle(options: TrainOptions): void {
  const recipe: Readonly<Record<string, unknown>> =
    typeof options.recipe === 'object' ? { ...options.recipe } : {};
  const idle =
    idleInRecipe.find((name) => recipe[name] !== undefined) ??
    idleOptions.find((name) => options[name] !== undefined);
  if (idle !== undefined)
    throw new UsageError(`option '${idle}': has no effect on a sweep of learning rates`);
}

/** See `findLearningRate`. */
export async function runSweep(
  options: TrainOptions,
  { range = usualRange, ...hooks }: SweepHooks & { readonly range?: Range },
): Promise<LearningRateSweep> {
  const began = performance.now();
  if (options.timeSeconds !== undefined)
    throw new UsageError(
      `option 'timeSeconds': has no effect: a sweep of learning rates has up to ${range.steps} steps, whatever time they take`,
    );
  refuseIdle(options);
  const folder = new RunFolder(options.out);
  await folder.refuseExisting();
  const { weights, device = 'auto', threads } = options;
  const starting = weights === undefined ? undefined : await openStartingWeights(weights, hooks);
  const engine = options.engine ?? openTorch({ device, ...(threads !== undefined && { threads }) });
  try {
    const configuration = await fitConfiguration(options, { engine, folder, starting, began });
    for (const decision of configuration.decisions ?? []) hooks.onNotice?.(decision);
    const run = { configuration, folder, engine, startingModel: starting?.model, resume: false };
    const { signal } = options;
    const found = await onTrial(run, (trial) => sweep(trial, { ...hooks, range, signal }));
    const suggestion = suggestionOf({ ...found, steps: range.steps });
    if (suggestion === undefined)
      throw new TrainingError(
        `${found.losses.length} steps with learning rates from ${range.first} to ${found.learningRates.at(-1)?.toPrecision(2)}: the loss never fell, from ${found.losses[0]?.toPrecision(3)} to ${found.losses.at(-1)?.toPrecision(3)}; expected data and a network of which something can be learned in ${range.steps} steps: a larger --batch gives steadier losses`,
      );
    // What follows a number that is none is not in the record.
    const finite = found.losses.filter(Number.isFinite);
    const result: LearningRateSweep = {
      format: 1,
      network: configuration.network,
      data: configuration.data,
      batch: configuration.recipe.batch,
      suggestion: Number(suggestion.toPrecision(2)),
      recipeLearningRate: configuration.recipe.learningRate,
      diverged: found.diverged,
      learningRates: found.learningRates.slice(0, finite.length),
      losses: finite,
      smoothedLosses: smoothed(finite),
    };
    await mkdir(folder.path, { recursive: true });
    await replaceText(folder.file(sweepFiles.chart), drawSweep(result));
    await replaceText(folder.file(sweepFiles.sweep), `${JSON.stringify(result)}\n`);
    return result;
  } finally {
    await starting?.model.close();
    if (!options.engine) await engine.close();
  }
}

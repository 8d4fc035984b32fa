/** Runs a training: opens the folder and the engine, runs the loop and closes them. */
import type { EngineFacts } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { UsageError } from '../errors.ts';
import { graphOf } from '../model/description.ts';
import type { Configuration } from './configuration.ts';
import { createConfiguration, networkOf } from './create-configuration.ts';
import { type EvaluationMetrics, RunFolder } from './run/run-folder.ts';
import { runLoop, type TrainResult } from './run-loop.ts';
import type { ResumeOptions, TrainEvent, TrainingControls, TrainOptions } from './train-options.ts';

export interface RunHooks {
  readonly signal: AbortSignal;
  readonly emit: (event: TrainEvent) => void;
}

/** @throws the errors of `train`. */
export async function runToEnd(
  options: TrainOptions | ResumeOptions,
  { signal, emit }: RunHooks,
): Promise<TrainResult> {
  if (!('resume' in options)) networkOf(options);
  const engine = options.engine ?? openTorch(engineOptions(options));
  try {
    const { folder, configuration } = await openFolder(options, engine.facts);
    await folder.lock();
    try {
      const { evaluateEvery, saveEverySteps } = options;
      const result = await runLoop({
        configuration,
        folder,
        engine,
        resume: 'resume' in options,
        signal,
        ...(evaluateEvery !== undefined && { evaluateEvery }),
        ...(saveEverySteps !== undefined && { saveEverySteps }),
        onStart: (start) => emit({ kind: 'start', configuration, engine: engine.facts, ...start }),
        onStep: (progress) => emit({ kind: 'step', ...progress }),
        onEvaluation: emit,
        onWarning: (message) => emit({ kind: 'warning', message }),
      });
      return { ...result, evaluation: result.evaluation ?? (await lastEvaluation(folder)) };
    } finally {
      await folder.unlock();
    }
  } finally {
    if (!options.engine) await engine.close();
  }
}

const engineOptions = ({ device = 'auto', threads }: TrainingControls) => ({
  device,
  ...(threads !== undefined && { threads }),
});

/** Invalid options are refused before anything is written. */
async function openFolder(
  options: TrainOptions | ResumeOptions,
  facts: EngineFacts,
): Promise<{ folder: RunFolder; configuration: Configuration }> {
  if ('resume' in options) {
    const { resume, network } = options;
    const folder = new RunFolder(resume);
    const configuration = await folder.configuration();
    if (network !== undefined && network !== configuration.network)
      throw new UsageError(`${resume} trains ${configuration.network}, not ${network}`);
    graphOf(configuration);
    return { folder, configuration };
  }
  const folder = new RunFolder(options.out);
  const configuration = await createConfiguration(options, facts);
  graphOf(configuration);
  await folder.create(configuration);
  return { folder, configuration };
}

/** The last evaluation of a run that is already finished. */
const lastEvaluation = async (folder: RunFolder): Promise<EvaluationMetrics | undefined> =>
  (await folder.metrics()).findLast((line) => line.kind === 'evaluation');

/** The library call for training: a network, data and a folder in; a run, with events on the way, out. */
import { EventEmitter, on } from 'node:events';
import type { Device, Engine, EngineFacts } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { UsageError } from '../errors.ts';
import { graphOf } from '../model/description.ts';
import type { Configuration } from './configuration.ts';
import { createConfiguration, type NewRun, networkOf } from './create-configuration.ts';
import { type EvaluationMetrics, RunFolder } from './run-folder.ts';
import { type Progress, runLoop, type Start, type TrainResult } from './train.ts';

interface Common {
  /** Epochs between evaluations. Default 1. */
  readonly evaluateEvery?: number | undefined;
  /** Steps between checkpoints, besides those at the end of each epoch and every ten minutes. */
  readonly saveEverySteps?: number | undefined;
  /** Default `auto`: CUDA where it is. */
  readonly device?: Device | 'auto';
  /** Threads of one operator. Default: every core. */
  readonly threads?: number | undefined;
  /** An engine to share; it stays open. Default: one of its own. */
  readonly engine?: Engine;
  /** Aborting saves a checkpoint and ends the training; so does `stop`. */
  readonly signal?: AbortSignal;
}

/** A new run. */
export interface TrainOptions extends NewRun, Common {
  /** The run folder, which must not hold a run. */
  readonly out: string;
}

/** A run that goes on from its newest checkpoint, bit for bit. */
export interface ResumeOptions extends Common {
  /** The run folder. */
  readonly resume: string;
  /** To be sure which network it is. */
  readonly network?: string | undefined;
}

/** What happens in a training, in order. */
export type TrainEvent =
  /** Everything is read and compiled; the first step comes next. */
  | ({ readonly kind: 'start'; readonly configuration: Configuration; readonly engine: EngineFacts } & Start)
  | ({ readonly kind: 'step' } & Progress)
  | EvaluationMetrics
  /** An image that cannot be decoded. */
  | { readonly kind: 'warning'; readonly message: string };

/** A training that is going on. */
export interface Run extends AsyncIterable<TrainEvent> {
  /** The run folder. */
  readonly folder: string;
  /** Ends with the last evaluation, or when it was stopped. Rejects as iterating does. */
  readonly result: Promise<TrainResult>;
  /** Saves a checkpoint after this step and ends the training. */
  stop(): void;
}

/**
 * Trains a network on a folder of images into a run folder, or goes on with a run; what `inception train` does.
 *
 * ```ts
 * const run = train({ network: 'inception-v4', data: 'photos', out: 'runs/photos', recipe: { epochs: 5 } });
 * for await (const event of run) if (event.kind === 'evaluation') console.log(event.epoch, event.top1Error);
 * ```
 *
 * The training goes on whether anybody iterates or not; leaving the iteration does not end it. Iterating and `result` throw
 * UsageError, NetworkOptionError, RecipeError, GraphError or RunError for what cannot be, before anything is written; DataError
 * for data that are not there; TrainingError when the loss is not finite or the network has died: the last checkpoint stays.
 */
export function train(options: TrainOptions | ResumeOptions): Run {
  const emitter = new EventEmitter();
  const interruption = new AbortController();
  const signal = options.signal
    ? AbortSignal.any([options.signal, interruption.signal])
    : interruption.signal;
  let ended = false;
  const result = runToEnd(options, {
    signal,
    emit: (event) => emitter.emit('event', event),
  }).finally(() => {
    ended = true;
    emitter.emit('end');
  });
  return {
    folder: 'resume' in options ? options.resume : options.out,
    result,
    stop: () => interruption.abort(),
    [Symbol.asyncIterator]() {
      // Whoever iterates hears of a failure there.
      result.catch(() => undefined);
      const events = ended ? [] : on(emitter, 'event', { close: ['end'] });
      return (async function* () {
        for await (const [event] of events) yield event as TrainEvent;
        await result;
      })();
    },
  };
}

interface Listening {
  readonly signal: AbortSignal;
  readonly emit: (event: TrainEvent) => void;
}

async function runToEnd(
  options: TrainOptions | ResumeOptions,
  { signal, emit }: Listening,
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

const engineOptions = ({ device = 'auto', threads }: Common) => ({
  device,
  ...(threads !== undefined && { threads }),
});

/** Whatever does not fit is said before anything is written. */
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

/** Of a run that was finished before. */
const lastEvaluation = async (folder: RunFolder): Promise<EvaluationMetrics | undefined> =>
  (await folder.metrics()).findLast((line) => line.kind === 'evaluation');

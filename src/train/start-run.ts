/** The library call for training. */
import { EventEmitter, on } from 'node:events';
import type { TrainResult } from './run-loop.ts';
import type { RunHooks } from './run-to-end.ts';
import type { ResumeOptions, TrainEvent, TrainOptions } from './train-options.ts';

/** A training in progress. */
export interface Run extends AsyncIterable<TrainEvent> {
  /** The run folder. */
  readonly folder: string;
  /** Resolves when the training has finished or was stopped; rejects with the same errors as iterating. */
  readonly result: Promise<TrainResult>;
  /** Saves a checkpoint after the current step and ends the training. */
  stop(): void;
}

/**
 * Trains a network on a folder of images into a run folder, or resumes a run; the same as `inception train`.
 *
 * ```ts
 * const run = train({ network: 'inception-v4', data: 'photos', out: 'runs/photos', recipe: { epochs: 5 } });
 * for await (const event of run) if (event.kind === 'evaluation') console.log(event.epoch, event.top1Error);
 * ```
 *
 * The training runs whether or not the events are consumed; leaving the iteration does not stop it. Iterating and `result`
 * throw UsageError, NetworkOptionError, RecipeError, GraphError or RunError for invalid options, before anything is written;
 * DataError for missing data; TrainingError if the loss is not finite or the network has died: the last checkpoint is kept.
 */
export function train(options: TrainOptions | ResumeOptions): Run {
  const emitter = new EventEmitter();
  const interruption = new AbortController();
  const signal = options.signal
    ? AbortSignal.any([options.signal, interruption.signal])
    : interruption.signal;
  let ended = false;
  const result = begin(options, { signal, emit: (event) => emitter.emit('event', event) }).finally(() => {
    ended = true;
    emitter.emit('end');
  });
  return {
    folder: 'resume' in options ? options.resume : options.out,
    result,
    stop: () => interruption.abort(),
    [Symbol.asyncIterator]() {
      // The iteration reports failures, so `result` must not be an unhandled rejection.
      result.catch(() => undefined);
      const events = ended ? [] : on(emitter, 'event', { close: ['end'] });
      return (async function* () {
        for await (const [event] of events) yield event as TrainEvent;
        await result;
      })();
    },
  };
}

/** Loads the loop, the compiler and libtorch on first use. */
async function begin(options: TrainOptions | ResumeOptions, hooks: RunHooks): Promise<TrainResult> {
  const { runToEnd } = await import('./run-to-end.ts');
  return runToEnd(options, hooks);
}

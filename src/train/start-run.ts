/** The library call for training: a network, data and a folder in; a run, with events on the way, out. */
import { EventEmitter, on } from 'node:events';
import type { TrainResult } from './run-loop.ts';
import type { Listening } from './run-to-end.ts';
import type { ResumeOptions, TrainEvent, TrainOptions } from './train-options.ts';

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
  const result = begin(options, { signal, emit: (event) => emitter.emit('event', event) }).finally(() => {
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

/** The loop, the compiler and libtorch are loaded when they are needed. */
async function begin(options: TrainOptions | ResumeOptions, listening: Listening): Promise<TrainResult> {
  const { runToEnd } = await import('./run-to-end.ts');
  return runToEnd(options, listening);
}

/** What a training records, for TensorBoard as well. */
import type { Configuration } from '../configuration/configuration.ts';
import type { Recorder } from '../run/recorder.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { EventFile } from './event-file.ts';
import { batchSheet, maxClasses } from './event-images.ts';

/** A recorder that adds to the run's event file what it has written. */
export function recordEvents(
  recorder: Recorder,
  {
    folder,
    configuration,
    onWarning,
  }: {
    readonly folder: RunFolder;
    readonly configuration: Configuration;
    readonly onWarning?: ((message: string) => void) | undefined;
  },
): Recorder {
  const { length: classes } = configuration.classes;
  let opened: Promise<EventFile> | undefined;
  let step = 0;
  /** Written anew by whoever trains on, from what metrics.jsonl then says. */
  const file = (): Promise<EventFile> => {
    if (!opened && classes > maxClasses)
      onWarning?.(
        `TensorBoard's images of this run have no confusion matrix: it has ${classes} classes, and more than ${maxClasses} cannot be told apart; evaluation.json has it`,
      );
    opened ??= folder.metrics().then((metrics) => EventFile.begin(folder.path, { configuration, metrics }));
    return opened;
  };
  return {
    ...recorder,
    firstBatch: async (at, images) => {
      // Copied before anything is waited for: the memory of a batch is used again.
      const sheet = await batchSheet(images, configuration.preprocessing.size);
      await (await file()).image(at, 'train/images', sheet);
    },
    steps: async (metrics) => {
      const events = await file();
      await recorder.steps(metrics);
      step = metrics.step;
      await events.scalars(metrics);
    },
    evaluation: async (metrics, results) => {
      const events = await file();
      const written = await recorder.evaluation(metrics, results);
      step = written.step;
      await events.scalars(written);
      await events.confusion(folder.path, { step, split: 'validation' });
      return written;
    },
    test: async (metrics, results) => {
      const events = await file();
      await recorder.test(metrics, results);
      step = metrics.step;
      await events.scalars(metrics);
      await events.confusion(folder.path, { step, split: 'test' });
    },
    finish: async (at) => {
      await recorder.finish(at);
      const events = await file();
      // Without it, HPARAMS does not say that the run has succeeded.
      if (at.isFinished) await events.end(step);
    },
  };
}

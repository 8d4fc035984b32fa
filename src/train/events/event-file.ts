/**
 * `events.out.tfevents.…` of a run: what TensorBoard shows of it. metrics.jsonl is where its numbers are from: each process that trains writes
 * the file anew from there and then adds to it, so that it has no step twice, however often a training was stopped or killed.
 */
import { appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runFiles } from '../../model/run-layout.ts';
import { namingFile, replaceFile } from '../../replace-file.ts';
import type { Configuration } from '../configuration/configuration.ts';
import type { EvaluationRecord, Metrics } from '../run/records.ts';
import { eventFileName, isEventFile } from './event-file-name.ts';
import { confusionImage, type EventImage } from './event-images.ts';
import { beginning, concatenated, type EventValue, encodeEvent } from './event-messages.ts';
import { hyperparametersOf, scalarsOf } from './flatten.ts';

const now = (): number => Date.now() / 1000;

export class EventFile {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Writes the file of a run with what its metrics say so far, and removes an earlier one. */
  static async begin(
    run: string,
    {
      configuration,
      metrics,
    }: { readonly configuration: Configuration; readonly metrics: readonly Metrics[] },
  ): Promise<EventFile> {
    const earlier = await eventFiles(run);
    // TensorBoard reads the files of a folder in the order of their names.
    const last = Math.max(0, ...earlier.map((name) => Number(name.split('.')[3])));
    const seconds = Math.max(Math.floor(now()), last + 1);
    const file = new EventFile(join(run, eventFileName(seconds)));
    const begun = now() - (metrics.at(-1)?.elapsedSeconds ?? 0);
    const of = ({ step, elapsedSeconds }: Metrics, value: EventValue) =>
      encodeEvent({ step, seconds: begun + elapsedSeconds, value });
    const hyperparameters = { kind: 'hyperparameters', values: hyperparametersOf(configuration) } as const;
    const confusion = await confusionOf(run);
    const events = withoutRepetitions(metrics).flatMap((line) => {
      const image = line.step === confusion?.step && isOf(line, confusion) ? confusion.image : undefined;
      return [of(line, scalars(line)), ...(image ? [of(line, imageValue('confusion', image))] : [])];
    });
    const first = encodeEvent({ step: 0, seconds: begun, value: hyperparameters });
    await replaceFile(file.#path, (temporary) =>
      writeFile(temporary, concatenated([beginning(begun), first, ...events])),
    );
    for (const name of earlier) await rm(join(run, name), { force: true });
    return file;
  }

  scalars(line: Metrics): Promise<void> {
    return this.#append(line.step, scalars(line));
  }

  image(step: number, name: string, image: EventImage): Promise<void> {
    return this.#append(step, imageValue(name, image));
  }

  /** The confusion matrix that evaluation.json has, if it is that of these images after this step. */
  async confusion(
    run: string,
    { step, split }: { readonly step: number; readonly split: 'validation' | 'test' },
  ): Promise<void> {
    const confusion = await confusionOf(run);
    if (confusion?.step === step && confusion.split === split && confusion.image)
      await this.image(step, 'confusion', confusion.image);
  }

  end(step: number): Promise<void> {
    return this.#append(step, { kind: 'end' });
  }

  async #append(step: number, value: EventValue): Promise<void> {
    await appendFile(this.#path, encodeEvent({ step, seconds: now(), value })).catch((error) => {
      throw namingFile(error, this.#path);
    });
  }
}

/** A line of the same kind and step replaces an earlier one: a lost model's evaluation is recorded again. */
const withoutRepetitions = (lines: readonly Metrics[]): readonly Metrics[] => [
  ...new Map(lines.map((line) => [`${line.kind} ${line.step}`, line])).values(),
];

const eventFiles = async (run: string): Promise<readonly string[]> =>
  (await readdir(run)).filter(isEventFile).sort();

const scalars = (line: Metrics): EventValue => ({ kind: 'scalars', values: scalarsOf(line) });

const imageValue = (tag: string, { png, size }: EventImage): EventValue => ({
  kind: 'image',
  tag,
  png,
  size,
});

/** Whether the line is that of the evaluation whose confusion this is. */
const isOf = ({ kind }: Metrics, { split = 'validation' }: Confusion): boolean =>
  kind === (split === 'test' ? 'test' : 'evaluation');

interface Confusion {
  readonly step: number;
  /** Runs of earlier versions do not say which. */
  readonly split: EvaluationRecord['split'];
  readonly image: EventImage | undefined;
}

async function confusionOf(run: string): Promise<Confusion | undefined> {
  try {
    const record = JSON.parse(await readFile(join(run, runFiles.evaluation), 'utf8')) as EvaluationRecord;
    const { step, split } = record;
    return { step, split, image: await confusionImage(record) };
  } catch {
    // None yet, or one that a later evaluation replaces.
    return undefined;
  }
}

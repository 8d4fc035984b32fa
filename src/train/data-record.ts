/** `data.json` of a run: the images that it trains and is evaluated on, what was left out of them, and which were skipped. */
import { readFile } from 'node:fs/promises';
import { type DataSummary, summarise } from '../data/data-report.ts';
import type { Group } from '../distributed/group.ts';
import { replaceText } from '../replace-file.ts';
import type { RunData } from './run-data.ts';

/** An image that could not be used. */
export interface SkippedImage {
  readonly file: string;
  readonly reason: string;
}

/** The content of `data.json`. */
export interface DataRecord {
  readonly format: 1;
  readonly train: DataSummary;
  readonly validation?: DataSummary;
  readonly test?: DataSummary;
  readonly skipped: readonly SkippedImage[];
}

/** Warnings about single images; more are counted, and named in the record. */
const maxWarnings = 10;

/** Keeps the record of a run, and warns of skipped images once each. */
export class DataRecorder {
  /** Undefined for a process of a group that is not the first one: it tells the first one at every checkpoint. */
  readonly #path: string | undefined;
  readonly #data: RunData;
  readonly #onWarning: ((message: string) => void) | undefined;
  readonly #skipped = new Map<string, SkippedImage>();
  #warned = 0;
  #changed = true;

  constructor(
    path: string | undefined,
    { onWarning, ...data }: RunData & { onWarning: ((message: string) => void) | undefined },
  ) {
    this.#path = path;
    this.#data = data;
    this.#onWarning = onWarning;
  }

  /** Takes up the skipped images of the process that a run goes on from. */
  async resume(): Promise<void> {
    if (this.#path === undefined) return;
    try {
      const { skipped } = JSON.parse(await readFile(this.#path, 'utf8')) as DataRecord;
      for (const image of skipped) this.#skipped.set(image.file, image);
    } catch (error) {
      // Runs of earlier versions do not have it, nor has one that was killed before it was written.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.#onWarning?.(`${this.#path}: cannot be read, and is written anew`);
    }
  }

  /** Takes up what all processes of a group have skipped. */
  async gather(group: Pick<Group, 'gather' | 'size'>): Promise<void> {
    if (group.size === 1) return;
    for (const image of (await group.gather([...this.#skipped.values()])).flat()) {
      if (!this.#skipped.has(image.file)) this.#changed = true;
      this.#skipped.set(image.file, image);
    }
  }

  /** `what` is done instead: `another image takes its place`. */
  skip(file: string, { reason, what }: { reason: string; what: string }): void {
    if (this.#skipped.get(file)?.reason === reason) return;
    this.#changed = true;
    this.#skipped.set(file, { file, reason });
    this.#warned++;
    if (this.#warned <= maxWarnings) this.#onWarning?.(`${reason}; ${what}`);
    if (this.#warned === maxWarnings && this.#path !== undefined)
      this.#onWarning?.(`further images that cannot be used are named in ${this.#path} only`);
  }

  /** Writes what has changed since the last time. */
  async save(): Promise<void> {
    if (!this.#changed || this.#path === undefined) return;
    this.#changed = false;
    const { train, validation, test } = this.#data;
    const record: DataRecord = {
      format: 1,
      train: summarise(train),
      ...(validation && { validation: summarise(validation) }),
      ...(test && { test: summarise(test) }),
      skipped: [...this.#skipped.values()],
    };
    await replaceText(this.#path, `${JSON.stringify(record, null, 2)}\n`);
  }

  /** One line, or undefined if no image was skipped. */
  summary(): string | undefined {
    const count = this.#skipped.size;
    if (count === 0 || this.#path === undefined) return undefined;
    return `${count} ${count === 1 ? 'image' : 'images'} could not be used and ${count === 1 ? 'was' : 'were'} skipped; see ${this.#path}`;
  }
}

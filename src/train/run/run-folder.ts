/**
 * A run is a folder:
 *
 *     config.json                  what was asked for, resolved
 *     metrics.jsonl                one line for each stretch of steps and for each evaluation
 *     checkpoints/N.safetensors    everything after step N; the last two are kept
 *     model.safetensors            the averaged weights after the last evaluation
 *     curves.svg                   loss and error over time
 *     evaluation.json              confusion and worst mistakes of the last evaluation
 *     pid                          the process that trains, while it does
 */
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withFigure } from '../../model/description.ts';
import { checkpointFile, checkpointFolder, checkpointSteps, runFiles } from '../../model/run-layout.ts';
import { replaceText } from '../../replace-file.ts';
import { type Configuration, parseConfiguration, RunError } from '../configuration.ts';
import type { Metrics } from './records.ts';

export type { EvaluationMetrics, Metrics, StepMetrics } from './records.ts';

/** The files of a run. */
export class RunFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Begins a new run. @throws RunError if the folder holds one. */
  async create(configuration: Configuration): Promise<void> {
    if (await this.exists()) {
      throw new RunError(
        `${this.path} holds a run already; go on with it by --resume, or choose another folder`,
      );
    }
    await mkdir(checkpointFolder(this.path), { recursive: true });
    await replaceText(
      this.file(runFiles.configuration),
      `${JSON.stringify(withFigure(configuration), null, 2)}\n`,
    );
  }

  async exists(): Promise<boolean> {
    return (await readOptional(this.file(runFiles.configuration))) !== undefined;
  }

  /** @throws RunError if there is no run, or its configuration does not fit. */
  async configuration(): Promise<Configuration> {
    const path = this.file(runFiles.configuration);
    const text = await readOptional(path);
    if (text === undefined) throw new RunError(`${this.path} is not a run: there is no config.json in it`);
    return parseConfiguration(text, path);
  }

  /** Keeps other processes out. @throws RunError if one is training here. */
  async lock(): Promise<void> {
    const path = this.file('pid');
    const holder = Number(await readOptional(path));
    if (holder > 0 && holder !== process.pid && isAlive(holder)) {
      throw new RunError(
        `${this.path}: process ${holder} is training here; stop it first, or choose another folder`,
      );
    }
    await writeFile(path, `${process.pid}\n`);
  }

  /** Whether a process that is alive trains here. */
  async isTraining(): Promise<boolean> {
    const holder = Number(await readOptional(this.file('pid')));
    return holder > 0 && isAlive(holder);
  }

  async unlock(): Promise<void> {
    await rm(this.file('pid'), { force: true });
  }

  async append(metrics: Metrics): Promise<void> {
    await appendFile(this.file('metrics.jsonl'), `${JSON.stringify(metrics)}\n`);
  }

  /** All lines; one that a kill cut off is left out. */
  async metrics(): Promise<Metrics[]> {
    const text = (await readOptional(this.file('metrics.jsonl'))) ?? '';
    return text.split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line) as Metrics];
      } catch {
        return [];
      }
    });
  }

  /** Drops what was written after the checkpoint from which a run goes on. */
  async truncateMetrics(step: number): Promise<void> {
    const kept = (await this.metrics()).filter((line) => line.step <= step);
    await replaceText(this.file('metrics.jsonl'), kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  checkpoint(step: number): string {
    return checkpointFile(this.path, step);
  }

  /** Steps of the checkpoints, newest first. */
  async checkpoints(): Promise<number[]> {
    return (await checkpointSteps(this.path)) ?? [];
  }

  /** Removes all checkpoints but the newest two, and what a kill left half-written. */
  async removeOldCheckpoints(): Promise<void> {
    const keep = new Set((await this.checkpoints()).slice(0, 2).map((step) => this.checkpoint(step)));
    const folder = checkpointFolder(this.path);
    for (const path of (await readdir(folder)).map((file) => join(folder, file))) {
      if (!keep.has(path)) await rm(path, { force: true });
    }
  }
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

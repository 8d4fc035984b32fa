/**
 * A run is a folder:
 *
 *     config.json                  the full configuration
 *     metrics.jsonl                a line for every few steps and for every evaluation
 *     checkpoints/N.safetensors    the state after step N; the last two are kept
 *     model.safetensors            the averaged weights after the last evaluation
 *     curves.svg                   loss and error over time
 *     evaluation.json              confusion and worst mistakes of the last evaluation
 *     pid                          the training process, while it runs
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

  /** Creates a run. @throws RunError if the folder already holds one. */
  async create(configuration: Configuration): Promise<void> {
    if (await this.exists()) {
      throw new RunError(
        `${this.path} already holds a run; continue it with --resume, or choose another folder`,
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

  /** @throws RunError if there is no run, or its configuration is invalid. */
  async configuration(): Promise<Configuration> {
    const path = this.file(runFiles.configuration);
    const text = await readOptional(path);
    if (text === undefined) throw new RunError(`${this.path} is not a run: it has no config.json`);
    return parseConfiguration(text, path);
  }

  /** Locks the run against other processes. @throws RunError if one is training in it. */
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

  /** Whether a live process is training in this folder. */
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

  /** All lines, without a truncated one. */
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

  /** Drops metrics written after the checkpoint from which a run resumes. */
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

  /** Removes all checkpoints but the latest two, and incomplete files. */
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

/**
 * A run is a folder:
 *
 *     config.json                  the full configuration
 *     data.json                    the images, what was left out of them, and which were skipped
 *     metrics.jsonl                a line for every few steps, for every evaluation, and for the test at the end
 *     checkpoints/N.safetensors    the state after step N; the last two are kept, the older for when the newer is damaged
 *     model.safetensors            the averaged weights after the last evaluation, or after the best
 *     last.safetensors             those after the last one, where the model is the best
 *     curves.svg                   loss and error over time
 *     README.md                    the model card
 *     evaluation.json              confusion, scores of each class and worst mistakes of the model's evaluation
 *     pid                          the lock: the training process, while it runs
 */
import { access, appendFile, constants, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { withFigure } from '../../model/description.ts';
import { checkpointFile, checkpointFolder, checkpointSteps, runFiles } from '../../model/run-layout.ts';
import { namingFile, removeIncomplete, replaceText } from '../../replace-file.ts';
import { type Configuration, parseConfiguration, RunError } from '../configuration/configuration.ts';
import { isEventFile } from '../events/event-file-name.ts';
import { type Metrics, metricsKinds, upgradeMetrics } from './records.ts';
import { holderOf, isLocked, releaseLock, takeLock } from './run-lock.ts';

export type { EvaluationMetrics, Metrics, StepMetrics, TestMetrics } from './records.ts';

/** The files of a run. */
export class RunFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** @throws RunError if the folder already holds a run. */
  async refuseExisting(): Promise<void> {
    if (await this.exists()) {
      throw new RunError(
        `${this.path} already holds a run; continue it with --resume, or choose another folder`,
      );
    }
  }

  /** Creates a run. @throws RunError if the folder already holds one. */
  async create(configuration: Configuration): Promise<void> {
    await this.refuseExisting();
    await mkdir(checkpointFolder(this.path), { recursive: true });
    await this.removeIncomplete();
    await this.write(configuration);
  }

  /** Writes config.json. */
  async write(configuration: Configuration): Promise<void> {
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
    await makeFolder(this.path);
    await takeLock(this.file('pid'));
  }

  /** Whether a process is training in this folder, as far as this host can know. */
  isTraining(): Promise<boolean> {
    return isLocked(this.file('pid'));
  }

  /** The process that trains here. */
  holder(): ReturnType<typeof holderOf> {
    return holderOf(this.file('pid'));
  }

  async unlock(): Promise<void> {
    await releaseLock(this.file('pid'));
  }

  async append(metrics: Metrics): Promise<void> {
    const path = this.file(runFiles.metrics);
    await appendFile(path, `${JSON.stringify(metrics)}\n`, { flush: true }).catch((error) => {
      throw namingFile(error, path);
    });
  }

  /** All lines that are whole. */
  async metrics(): Promise<Metrics[]> {
    return [...(await this.readMetrics()).lines];
  }

  /** And how many other lines there are, without the last, of which a kill may have left a part. */
  async readMetrics(): Promise<{ readonly lines: readonly Metrics[]; readonly unreadable: number }> {
    const read = (await this.#metricsLines()).map(readMetrics);
    return {
      lines: read.filter((line) => line !== undefined),
      unreadable: read.slice(0, -1).filter((line) => line === undefined).length,
    };
  }

  async #metricsLines(): Promise<string[]> {
    const text = (await readOptional(this.file(runFiles.metrics))) ?? '';
    return text.split('\n').filter((line) => line !== '');
  }

  /**
   * Drops metrics written after the checkpoint from which a run resumes, and what a kill left of a line.
   * @returns the number of other lines that were dropped because they are no metrics.
   */
  async truncateMetrics(step: number): Promise<number> {
    const { lines, unreadable } = await this.readMetrics();
    const kept = lines.filter((line) => line.step <= step);
    await replaceText(this.file(runFiles.metrics), kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return unreadable;
  }

  checkpoint(step: number): string {
    return checkpointFile(this.path, step);
  }

  /** Steps of the checkpoints, newest first. */
  async checkpoints(): Promise<number[]> {
    return (await checkpointSteps(this.path)) ?? [];
  }

  /** Removes all checkpoints but the latest two, and nothing else. */
  async removeOldCheckpoints(): Promise<void> {
    for (const step of (await this.checkpoints()).slice(2)) await rm(this.checkpoint(step), { force: true });
  }

  /** Keeps a damaged checkpoint under a name that no training reads. @returns its path. */
  async setAside(step: number): Promise<string> {
    const path = `${this.checkpoint(step)}.damaged`;
    await rename(this.checkpoint(step), path);
    return path;
  }

  /** Removes what a killed process left half-written. */
  async removeIncomplete(): Promise<void> {
    const written: readonly string[] = [...Object.values(runFiles), 'pid'];
    await removeIncomplete(this.path, (name) => written.includes(name) || isEventFile(name));
    await removeIncomplete(checkpointFolder(this.path), (name) => /^\d+\.safetensors$/.test(name));
  }
}

function readMetrics(line: string): Metrics | undefined {
  try {
    const value = JSON.parse(line);
    const known = metricsKinds.includes(value?.kind);
    const isLine = known && Number.isFinite(value.step) && Number.isFinite(value.epoch);
    return isLine ? (upgradeMetrics(value) as Metrics) : undefined;
  } catch {
    return undefined;
  }
}

/** For a folder that cannot be made Node.js says ENOENT, whatever the reason: the folder above it has that. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    let above = resolve(path);
    while (above !== dirname(above) && (await stat(above).catch(() => undefined)) === undefined)
      above = dirname(above);
    await access(above, constants.W_OK);
    throw error;
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

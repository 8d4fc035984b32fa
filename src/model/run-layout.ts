/** The files in a run's folder: written by `train`, read by every command that takes a model. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export const runFiles = { configuration: 'config.json', model: 'model.safetensors' } as const;

const checkpoints = 'checkpoints';

export const checkpointFolder = (run: string): string => join(run, checkpoints);

export const checkpointFile = (run: string, step: number): string =>
  join(run, checkpoints, `${step}.safetensors`);

/** Steps of the checkpoints, newest first; undefined if the folder does not exist. */
export async function checkpointSteps(run: string): Promise<number[] | undefined> {
  const files = await readdir(checkpointFolder(run)).catch(() => undefined);
  return files
    ?.flatMap((file) => /^(\d+)\.safetensors$/.exec(file)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

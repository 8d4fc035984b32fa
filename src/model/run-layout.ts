/** The files in a run's folder: written by `train`, read by every command that takes a model. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export const runFiles = {
  configuration: 'config.json',
  data: 'data.json',
  metrics: 'metrics.jsonl',
  model: 'model.safetensors',
  /** The last evaluation's averages, where the model is the best one's. */
  last: 'last.safetensors',
  evaluation: 'evaluation.json',
  curves: 'curves.svg',
  card: 'README.md',
  /** Labels that are probably wrong, by `inception data check --model`. */
  labels: 'labels.json',
} as const;

const checkpoints = 'checkpoints';

export const checkpointFolder = (run: string): string => join(run, checkpoints);

export const checkpointFile = (run: string, step: number): string =>
  join(run, checkpoints, `${step}.safetensors`);

/** Steps of the checkpoints, newest first; undefined if the folder does not exist. Other files in it are left alone. */
export async function checkpointSteps(run: string): Promise<number[] | undefined> {
  const entries = await readdir(checkpointFolder(run), { withFileTypes: true }).catch(() => undefined);
  return entries
    ?.filter((entry) => !entry.isDirectory())
    .flatMap(({ name }) => /^(0|[1-9]\d*)\.safetensors$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

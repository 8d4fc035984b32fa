/** Trained weights that a new training can start from: finished runs, and files in the folder of models. */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { statusOf } from '../run-file.ts';
import { runFolders } from '../runs.ts';

export interface Weights {
  /** Identifies the path, which is not sent to the page. */
  readonly id: string;
  readonly name: string;
  readonly path: string;
}

export async function weightsIn(runs: string, models: string | undefined): Promise<readonly Weights[]> {
  const found: Omit<Weights, 'id'>[] = [];
  for (const [name, folder] of await runFolders(runs))
    if (statusOf(folder, 'model.safetensors')) found.push({ name, path: folder });
  const files = models === undefined ? [] : await readdir(models).catch(() => []);
  for (const name of files.toSorted())
    if (name.endsWith('.safetensors')) found.push({ name, path: join(models as string, name) });
  return found.map((each) => ({
    id: createHash('sha256').update(each.path).digest('hex').slice(0, 16),
    ...each,
  }));
}

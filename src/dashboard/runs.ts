/** The runs in a folder, for the dashboard. Only names listed in the folder itself are opened. */
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { EvaluationMetrics, Metrics } from '../train/run/records.ts';
import { RunFolder } from '../train/run/run-folder.ts';
import type { MetricsPart, RunList, RunSummary } from './api.ts';

/** Run folders by id: those in `root`, or `root` itself if it is a run. */
export async function runFolders(root: string): Promise<ReadonlyMap<string, RunFolder>> {
  const single = new RunFolder(root);
  if (await single.exists()) return new Map([[basename(resolve(root)), single]]);
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  const folders = new Map<string, RunFolder>();
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!entry.isDirectory()) continue;
    const folder = new RunFolder(join(root, entry.name));
    if (await folder.exists()) folders.set(entry.name, folder);
  }
  return folders;
}

/** All readable runs, most recently changed first; unreadable ones with the reason. */
export async function listRuns(root: string): Promise<RunList> {
  const runs: RunSummary[] = [];
  const broken: { id: string; reason: string }[] = [];
  for (const [id, folder] of await runFolders(root)) {
    try {
      runs.push(await summarise(id, folder));
    } catch (error) {
      broken.push({ id, reason: (error as Error).message });
    }
  }
  return { runs: runs.sort((a, b) => b.changed - a.changed), broken };
}

async function summarise(id: string, folder: RunFolder): Promise<RunSummary> {
  const configuration = await folder.configuration();
  const metrics = await folder.metrics();
  const file = await stat(folder.file('metrics.jsonl')).catch(() => undefined);
  const { network, options, data, classes, recipe } = configuration;
  const last = metrics.at(-1);
  return {
    id,
    network,
    options,
    data,
    classes,
    epochs: recipe.epochs,
    batch: recipe.batch,
    step: last?.step ?? 0,
    epoch: last?.epoch ?? 0,
    evaluation: metrics.findLast((line): line is EvaluationMetrics => line.kind === 'evaluation'),
    training: await folder.isTraining(),
    size: file?.size ?? 0,
    changed: file?.mtimeMs ?? 0,
  };
}

/** The complete lines of metrics.jsonl from byte offset `from` on. */
export async function readMetrics(folder: RunFolder, offset: number): Promise<MetricsPart> {
  const file = await open(folder.file('metrics.jsonl')).catch(() => undefined);
  if (!file) return { continues: offset === 0, next: 0, metrics: [] };
  try {
    const { size } = await file.stat();
    const start = offset <= size ? offset : 0;
    const { buffer } = await file.read({ buffer: Buffer.alloc(size - start), position: start });
    // An incomplete last line is left for the next part.
    const end = buffer.lastIndexOf('\n') + 1;
    const lines = buffer.toString('utf8', 0, end).split('\n');
    const metrics = lines.flatMap((line) => {
      try {
        return [JSON.parse(line) as Metrics];
      } catch {
        return [];
      }
    });
    return { continues: start === offset, next: start + end, metrics };
  } finally {
    await file.close();
  }
}

/** `evaluation.json` of the last evaluation, or undefined for a run without one. */
export async function readEvaluation(folder: RunFolder): Promise<string | undefined> {
  return readFile(folder.file('evaluation.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

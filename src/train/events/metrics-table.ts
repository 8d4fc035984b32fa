/** Metrics of runs as a table: a row for each line of metrics.jsonl, a column for each name in it. Pure but for reading. */
import { resolve } from 'node:path';
import Papa from 'papaparse';
import { UsageError } from '../../errors.ts';
import { runFiles } from '../../model/run-layout.ts';
import { RunFolder } from '../run/run-folder.ts';
import { type FlatValue, flattenMetrics } from './flatten.ts';

type Row = Readonly<Record<string, FlatValue>>;

/** By the ending of the file that they are for. */
const formats = {
  csv: (rows: readonly Row[]): string => {
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    return `${Papa.unparse([...rows], { columns, newline: '\n' })}\n`;
  },
  json: (rows: readonly Row[]): string => `${JSON.stringify(rows, null, 2)}\n`,
  jsonl: (rows: readonly Row[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join(''),
} as const;

export type MetricsFormat = keyof typeof formats;

/** The format that a file's ending names. @throws UsageError for another one */
export function metricsFormat(path: string): MetricsFormat {
  const ending = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase() ?? '';
  if (Object.hasOwn(formats, ending)) return ending as MetricsFormat;
  throw new UsageError(
    `${path}: expected a file name ending in ${Object.keys(formats)
      .map((name) => `.${name}`)
      .join(', ')}`,
  );
}

/**
 * The metrics of run folders, in their order. With several, a column `run` says whose each row is.
 * @throws UsageError for a folder that is no run, has no metrics, or is named twice
 */
export async function exportMetrics(
  runs: readonly string[],
  { format, onWarning }: { readonly format: MetricsFormat; readonly onWarning: (message: string) => void },
): Promise<string> {
  const repeated = runs.find((run, index) => runs.findIndex((one) => resolve(one) === resolve(run)) < index);
  if (repeated !== undefined) throw new UsageError(`${repeated}: is named twice; expected each run once`);
  const rows = await Promise.all(
    runs.map(async (run) => {
      const folder = new RunFolder(run);
      if (!(await folder.exists())) throw new UsageError(`${run} is not a run: it has no config.json`);
      const { lines: metrics, unreadable } = await folder.readMetrics();
      if (unreadable > 0)
        onWarning(`${folder.file(runFiles.metrics)}: ${unreadable} lines that are no metrics are left out`);
      if (metrics.length === 0)
        throw new UsageError(`${run}: has no metrics yet; expected a run that has made some steps`);
      return metrics.map((line) => ({ ...(runs.length > 1 && { run }), ...flattenMetrics(line) }));
    }),
  );
  return formats[format](rows.flat());
}

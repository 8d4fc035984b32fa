/** Writes predictions of any number of images to a file, row by row, so that an interrupted process can go on. */
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { UsageError } from '../../errors.ts';
import { appendLines } from '../../evaluate/append-lines.ts';
import { PredictionsError } from '../../evaluate/predictions-error.ts';
import { openParquetRows } from './parquet-rows.ts';
import { type PredictionWriter, uniqueLabels, type WriterOptions } from './prediction-rows.ts';
import { type RowFormat, rowFormats } from './row-format.ts';

/** The endings of files of predictions. */
export const predictionEndings: readonly string[] = [...Object.keys(rowFormats), '.parquet'];

/** @throws UsageError for an ending that is none, or a `.parquet` to be continued. */
export function checkOutput(path: string, { resume }: { readonly resume: boolean }): void {
  const ending = extname(path).toLowerCase();
  if (!predictionEndings.includes(ending))
    throw new UsageError(
      `output: expected a file that ends in ${predictionEndings.join(', ')}, received '${path}'`,
    );
  if (resume && ending === '.parquet')
    throw new UsageError(
      `resume: ${path} is written as a whole, in columns, and cannot be continued; expected .csv or .jsonl`,
    );
}

/** @throws UsageError as `checkOutput`, and if the file exists; PredictionsError if its rows were made in another way. */
export async function openPredictionWriter(path: string, options: WriterOptions): Promise<PredictionWriter> {
  checkOutput(path, options);
  const { resume } = options;
  const exists = (await stat(path).catch(() => undefined)) !== undefined;
  if (exists && !resume)
    throw new UsageError(`${path} exists; --resume continues it, another name or its removal starts anew`);
  const format = rowFormats[extname(path).toLowerCase()];
  return format ? openLines(path, { ...options, format, exists }) : openParquetRows(path, options);
}

async function openLines(
  path: string,
  {
    description,
    classes,
    top,
    format,
    exists,
  }: WriterOptions & { readonly format: RowFormat; readonly exists: boolean },
): Promise<PredictionWriter> {
  const about = `${JSON.stringify({ ...description, top }, null, 2)}\n`;
  const known = new Set<string>();
  if (exists) {
    const before = await readFile(`${path}.json`, 'utf8').catch(() => undefined);
    if (before !== about)
      throw new PredictionsError(
        `${path}: its rows are of another model or other options (see ${path}.json); choose another file, or remove it to start over`,
      );
    const text = await readFile(path, 'utf8');
    const { files, length } = format.read(text, { path, top });
    for (const file of files) known.add(file);
    await truncate(path, Buffer.byteLength(text.slice(0, length)));
    if (length === 0) await writeFile(path, format.head(top));
  } else {
    await writeFile(`${path}.json`, about);
    await writeFile(path, format.head(top));
  }
  const unique = uniqueLabels(classes);
  const lines = appendLines(path);
  return {
    known,
    add: (row) => lines.add(format.line(row, unique)),
    close: lines.close,
  };
}

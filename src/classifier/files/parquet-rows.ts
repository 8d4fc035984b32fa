/** Rows of predictions as a Parquet file: columns, in groups of rows, so that memory does not grow with the images. */
import { rename, rm } from 'node:fs/promises';
import type { ParquetWriter } from 'hyparquet-writer';
import {
  columnsOf,
  type PredictionRow,
  type PredictionWriter,
  uniqueLabels,
  type WriterOptions,
} from './prediction-rows.ts';

/** Rows of a group: a megabyte or two of paths and labels. */
const groupRows = 10_000;

/** Under a temporary name until it is complete: a Parquet file says at its end where its columns are. */
export async function openParquetRows(
  path: string,
  { classes, top }: WriterOptions,
): Promise<PredictionWriter> {
  // Loaded on first use, as other formats do not need it.
  const { fileWriter, ParquetWriter, schemaFromColumnData } = await import('hyparquet-writer');
  const temporary = `${path}.incomplete`;
  const unique = uniqueLabels(classes);
  let rows: PredictionRow[] = [];
  const columnData = () => [
    { name: 'file', data: rows.map(({ file }) => file), type: 'STRING' as const },
    ...columnsOf(top)
      .slice(1)
      .map((name, at) => {
        const cells = rows.map(({ labels }) => labels[at >> 1] as (typeof labels)[0]);
        return name.startsWith('label')
          ? { name, data: cells.map(unique), type: 'STRING' as const }
          : { name, data: cells.map(({ probability }) => probability), type: 'FLOAT' as const };
      }),
  ];
  const writer: ParquetWriter = new ParquetWriter({
    writer: fileWriter(temporary),
    schema: schemaFromColumnData({ columnData: columnData() }),
    createdBy: 'inception-networks',
  });
  const flush = () => {
    const some = columnData();
    rows = [];
    writer.write({ columnData: some, rowGroupSize: groupRows });
  };
  return {
    known: new Set(),
    add: (row) => {
      rows.push(row);
      if (rows.length >= groupRows) flush();
    },
    close: async ({ complete }) => {
      if (!complete) return rm(temporary, { force: true });
      if (rows.length > 0) flush();
      writer.finish();
      await rename(temporary, path);
    },
  };
}

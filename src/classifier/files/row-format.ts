/** How rows of predictions are written as lines, and read back to continue a file. Pure. */
import Papa from 'papaparse';
import { z } from 'zod';
import { PredictionsError } from '../../evaluate/predictions-error.ts';
import { cellsOf, columnsOf, type PredictionRow, type UniqueLabel } from './prediction-rows.ts';

export interface RowFormat {
  /** What the file begins with. */
  head(top: number): string;
  line(row: PredictionRow, unique: UniqueLabel): string;
  /** The files of whole rows, and how much of the text they take. @throws PredictionsError for rows of another kind. */
  read(text: string, source: { readonly path: string; readonly top: number }): Continued;
}

/** What a file that is continued holds. */
export interface Continued {
  readonly files: readonly string[];
  /** Characters up to the end of the last whole row: what a killed process left of another one is dropped. */
  readonly length: number;
}

/** Up to the last end of a line. */
const wholeLines = (text: string): string => text.slice(0, text.lastIndexOf('\n') + 1);

const csvLine = (cells: readonly (string | number)[]): string =>
  `${Papa.unparse([cells], { newline: '\n' })}\n`;

const csv: RowFormat = {
  head: (top) => csvLine(columnsOf(top)),
  line: (row, unique) => csvLine(cellsOf(row, unique)),
  read: (text, { path, top }) => {
    const whole = wholeLines(text);
    if (whole === '') return { files: [], length: 0 };
    const { data, errors } = Papa.parse<string[]>(whole, { delimiter: ',', skipEmptyLines: true });
    const [head = [], ...rows] = data;
    const columns = columnsOf(top);
    if (head.join() !== columns.join())
      throw new PredictionsError(
        `${path}: expected the columns ${columns.join(', ')}, received ${head.join(', ').slice(0, 200)}`,
      );
    const wrong = rows.findIndex((row) => row.length !== columns.length || !(Number(row[2]) <= 1));
    if (wrong >= 0 || errors.length > 0)
      throw new PredictionsError(
        `${path}: row ${wrong < 0 ? (errors[0]?.row ?? 0) + 1 : wrong + 1} is not a row of predictions; choose another file`,
      );
    return { files: rows.map(([file = '']) => file), length: whole.length };
  },
};

const jsonRow = z.object({ file: z.string(), label: z.string(), probability: z.number() });

const jsonLines: RowFormat = {
  head: () => '',
  line: ({ file, labels }, unique) => {
    const [best] = labels;
    const top = labels.map(({ label: _, ...each }, at) => ({
      label: unique(labels[at] as typeof best),
      ...each,
    }));
    return `${JSON.stringify({ file, label: unique(best), probability: best.probability, top })}\n`;
  },
  read: (text, { path }) => {
    const whole = wholeLines(text);
    const files = whole
      .split('\n')
      .slice(0, -1)
      .map((line, at) => {
        const row = jsonRow.safeParse(parsed(line));
        if (row.success) return row.data.file;
        throw new PredictionsError(
          `${path}: line ${at + 1} is not a row of predictions; choose another file`,
        );
      });
    return { files, length: whole.length };
  },
};

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** By the ending of the file. */
export const rowFormats: Readonly<Record<string, RowFormat>> = { '.csv': csv, '.jsonl': jsonLines };

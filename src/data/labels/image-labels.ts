/**
 * The label of every image of a flat folder, from the files in which people have them: CSV, Caffe's `FILE NUMBER`, ImageNet's
 * `LOC_val_solution.csv`, JSON, or one label per line in the order of the files.
 */
import { basename } from 'node:path';
import Papa from 'papaparse';
import { DataError } from '../data-error.ts';
import { linesOf, readText } from './read-text.ts';

export interface ImageLabels {
  /** In the order of the files. */
  readonly labels: readonly string[];
  /** What was left out, in lines to be printed. */
  readonly notices: readonly string[];
}

type Pair = readonly [file: string, label: string];

/**
 * Reads labels for `files`. A file of labels holds lines (or cells, or keys of a JSON object) that name a file, with or without
 * folder and ending, and its label; or else one label per line, or a JSON list of labels, in the order of the files.
 * @throws DataError naming images without a label, images with two, and what cannot be read.
 */
export const readLabels = async (path: string, files: readonly string[]): Promise<ImageLabels> =>
  labelsIn(await readText(path), { path, files });

export function labelsIn(
  text: string,
  { path, files }: { path: string; files: readonly string[] },
): ImageLabels {
  const find = finder(files);
  if (/^\s*[[{]/.test(text)) {
    const parsed = fromJson(text, path);
    return parsed.pairs
      ? paired(parsed.pairs, { path, files, find, notices: [] })
      : inOrder(parsed.list, { path, files });
  }
  const table = fromTable(text, { find, path, files });
  if (table) return paired(table.pairs, { path, files, find, notices: table.notices });
  const lines = linesOf(text);
  const entries = lines.filter((line) => line !== '').map((line) => splitLine(line, find) ?? line);
  const named = entries.filter((entry) => typeof entry !== 'string').length;
  if (!areNamed(named, { entries: entries.length, files: files.length }))
    return inOrder(lines, { path, files });
  const pairs = entries.map((entry): Pair => (typeof entry === 'string' ? [entry, ''] : entry));
  return paired(pairs, { path, files, find, notices: [] });
}

const stemOf = (name: string): string => name.replace(/\.\w+$/, '');

type Find = (name: string) => number | undefined;

/** Finds a file by its name, without its folder, and if need be without its ending. */
function finder(files: readonly string[]): Find {
  const byName = new Map(files.map((file, index) => [basename(file), index]));
  const byStem = new Map<string, number | undefined>();
  files.forEach((file, index) => {
    const stem = stemOf(basename(file));
    // a.jpg and a.png: the stem names neither.
    byStem.set(stem, byStem.has(stem) ? undefined : index);
  });
  return (written) => {
    const name = written.split(/[/\\]/).at(-1) ?? '';
    return byName.get(name) ?? byStem.get(name) ?? byStem.get(stemOf(name));
  };
}

function fromJson(text: string, path: string): { pairs: Pair[] } | { list: string[]; pairs?: undefined } {
  const expected = `${path}: expected a JSON list of labels, a list of [file, label], or an object from files to labels`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DataError(`${path}: not JSON (${(error as Error).message})`);
  }
  const isLabel = (each: unknown): each is string | number =>
    typeof each === 'string' || (typeof each === 'number' && Number.isSafeInteger(each));
  const isPair = (each: unknown): each is [string, string | number] =>
    Array.isArray(each) && each.length === 2 && typeof each[0] === 'string' && isLabel(each[1]);
  const entries = Array.isArray(value) ? value : Object.entries(value as object);
  if (entries.every(isPair)) return { pairs: entries.map(([file, label]) => [file, String(label)] as const) };
  if (Array.isArray(value) && value.every(isLabel)) return { list: value.map(String) };
  const wrong = entries.find((each) => !isPair(each) && !isLabel(each)) ?? entries[0];
  throw new DataError(`${expected}; received ${JSON.stringify(wrong)?.slice(0, 80)}`);
}

/** Column heads that are no file's name; any other first line that names no image is counted as such. */
const header = /^(image|file|path|name|id)[ _-]?(id|name|path)?s?$/i;

/** Lines of cells whose first names a file; undefined if they are not such. */
function fromTable(
  text: string,
  { find, path, files }: { find: Find; path: string; files: readonly string[] },
): { pairs: Pair[]; notices: string[] } | undefined {
  for (const delimiter of ['\t', ',', ';']) {
    const { data, errors } = Papa.parse<string[]>(text, { delimiter, skipEmptyLines: 'greedy' });
    const isNamed = ([file = '', label]: string[]) => label !== undefined && find(file.trim()) !== undefined;
    const [head] = data;
    const rows = head && !isNamed(head) && header.test(head[0]?.trim() ?? '') ? data.slice(1) : data;
    const named = rows.filter(isNamed).length;
    if (!areNamed(named, { entries: rows.length, files: files.length })) continue;
    const error = errors.find(({ type }) => type === 'Quotes');
    if (error) throw new DataError(`${path}: line ${(error.row ?? 0) + 1}: ${error.message}`);
    const more = rows.filter((row) => row.length > 2).length;
    return {
      pairs: rows.map(([file = '', label = '']): Pair => [file.trim(), withoutBoxes(label.trim())]),
      notices: more > 0 ? [`${path}: the second column is the label; ${more} rows have more columns`] : [],
    };
  }
  return undefined;
}

/** A label may look like a file's name by chance: as many entries as images are labels in order, unless each names an image. */
const areNamed = (named: number, { entries, files }: { entries: number; files: number }): boolean =>
  named > 0 && (named === entries || entries !== files);

/** ImageNet's `LOC_val_solution.csv` has a synset and boxes in the label's cell. */
const withoutBoxes = (label: string): string => /^(n\d{8})(?: \d+){4}/.exec(label)?.[1] ?? label;

/** `FILE LABEL`, where either may have spaces: the longest beginning that names a file. */
function splitLine(line: string, find: Find): Pair | undefined {
  for (const space of [...line.matchAll(/\s+/g)].reverse()) {
    const file = line.slice(0, space.index);
    if (find(file) !== undefined) return [file, line.slice(space.index).trim()];
  }
  return undefined;
}

function inOrder(
  labels: readonly string[],
  { path, files }: { path: string; files: readonly string[] },
): ImageLabels {
  if (labels.length !== files.length)
    throw new DataError(
      `${path}: ${labels.length} labels for ${files.length} images; expected one line per image, or lines of file and label (none names an image; the first is '${labels[0]?.slice(0, 80) ?? ''}')`,
    );
  const empty = labels.indexOf('');
  if (empty >= 0) throw new DataError(`${path}: line ${empty + 1} is empty`);
  return { labels, notices: [] };
}

function paired(
  pairs: readonly Pair[],
  {
    path,
    files,
    find,
    notices,
  }: { path: string; files: readonly string[]; find: Find; notices: readonly string[] },
): ImageLabels {
  const labels = new Array<string | undefined>(files.length);
  const unknown: string[] = [];
  for (const [file, label] of pairs) {
    const index = find(file);
    if (index === undefined) {
      unknown.push(file.slice(0, 80));
      continue;
    }
    const name = files[index] as string;
    if (label === '') throw new DataError(`${path}: the label of ${name} is empty`);
    if (labels[index] !== undefined && labels[index] !== label)
      throw new DataError(`${path}: two labels for ${name}: '${labels[index]}' and '${label}'`);
    labels[index] = label;
  }
  const missing = files.filter((_, index) => labels[index] === undefined);
  if (missing.length > 0)
    throw new DataError(`${path}: no label for ${missing[0]}${others(missing.length, files.length)}`);
  return {
    labels: labels as string[],
    notices: [
      ...notices,
      ...(unknown.length > 0
        ? [
            `${path}: ${unknown.length} of its ${pairs.length} lines name no image (the first: '${unknown[0]}')`,
          ]
        : []),
    ],
  };
}

const others = (missing: number, total: number): string =>
  missing > 1 ? ` and ${missing - 1} more of ${total} images` : '';

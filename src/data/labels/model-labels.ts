/**
 * The labels of a model's outputs, from the files in which people have them: one per line, numbered or behind their synsets, or
 * JSON, such as Keras's `imagenet_class_index.json` and the `id2label` of Hugging Face.
 */
import Papa from 'papaparse';
import { DataError } from '../data-error.ts';
import { linesOf, readText } from './read-text.ts';

export interface ModelLabels {
  /** In the order of the outputs. */
  readonly classes: readonly string[];
  /** Synsets, where the file has them beside the labels. */
  readonly classIds?: readonly string[];
}

/** @throws DataError naming the line, or what was expected of JSON. */
export const readModelLabels = async (path: string): Promise<ModelLabels> =>
  modelLabelsIn(await readText(path), path);

export function modelLabelsIn(text: string, path: string): ModelLabels {
  if (/^\s*[[{]/.test(text)) return fromJson(text, path);
  const lines = linesOf(text);
  if (lines.length === 0) throw new DataError(`${path}: expected labels, received an empty file`);
  const empty = lines.indexOf('');
  if (empty >= 0)
    throw new DataError(`${path}: line ${empty + 1} is empty, and would shift the labels after it`);
  const labels = withoutNumbers(lines).map(withoutQuotes);
  const named = labels.map((label) => /^(n\d{8})[\s,:]+(\S.*)$/.exec(label));
  if (!named.every((match) => match !== null)) return { classes: labels };
  return {
    classes: named.map(([, , name]) => withoutQuotes(name as string)),
    classIds: named.map(([, id]) => id as string),
  };
}

/** `0 tench`, `1: goldfish`, `2,great white shark`: only if every line has the number of its output. */
function withoutNumbers(lines: readonly string[]): string[] {
  const numbered = lines.map((line, index) => {
    const [, number, label] = /^(\d+)[\s,:]+(\S.*)$/.exec(line) ?? [];
    return number !== undefined && Number(number) === index ? label : undefined;
  });
  return numbered.every((label) => label !== undefined) ? numbered : [...lines];
}

/** A line of CSV with one quoted cell. */
function withoutQuotes(line: string): string {
  if (!/^".*"$/.test(line)) return line;
  const { data, errors } = Papa.parse<string[]>(line, { delimiter: ',' });
  return errors.length === 0 && data[0]?.length === 1 ? (data[0][0] as string) : line;
}

function fromJson(text: string, path: string): ModelLabels {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DataError(`${path}: not JSON (${(error as Error).message})`);
  }
  const entries = Array.isArray(value) ? value : byNumber(value as Record<string, unknown>, path);
  if (entries.every((each) => typeof each === 'string')) return { classes: entries };
  // Keras: { "0": ["n01440764", "tench"], … }
  const isPair = (each: unknown): each is [string, string] =>
    Array.isArray(each) && each.length === 2 && each.every((part) => typeof part === 'string');
  if (entries.every(isPair))
    return { classes: entries.map(([, name]) => name), classIds: entries.map(([id]) => id) };
  const wrong = entries.find((each) => typeof each !== 'string' && !isPair(each)) ?? entries[0];
  throw new DataError(
    `${path}: expected a JSON list of labels, or of [id, label]; received ${JSON.stringify(wrong)?.slice(0, 80)}`,
  );
}

/** An object from numbers to labels, or from labels to numbers. */
function byNumber(object: Record<string, unknown>, path: string): unknown[] {
  const entries = Object.entries(object);
  const inverted = entries.every(([, value]) => typeof value === 'number');
  const byOutput = new Map(
    entries.map(([key, value]) =>
      inverted ? [Number(value), key] : [/^\d+$/.test(key) ? Number(key) : -1, value],
    ),
  );
  const labels = entries.map((_, index) => byOutput.get(index));
  const missing = labels.indexOf(undefined);
  if (entries.length > 0 && missing < 0) return labels;
  throw new DataError(
    `${path}: expected an object with the outputs 0 to ${Math.max(0, entries.length - 1)}${entries.length > 0 ? `; ${missing} is missing` : ', received an empty one'}`,
  );
}

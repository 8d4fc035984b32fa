/** A weight for each label, from CSV (`label,weight`, with or without a header) or a JSON object. */
import Papa from 'papaparse';
import { DataError } from '../data-error.ts';
import { readText } from './read-text.ts';

/** @throws DataError naming the line, or what was expected of JSON. */
export const readClassWeights = async (path: string): Promise<Readonly<Record<string, number>>> =>
  classWeightsIn(await readText(path), path);

export function classWeightsIn(text: string, path: string): Readonly<Record<string, number>> {
  const entries = /^\s*[[{]/.test(text) ? fromJson(text, path) : fromCsv(text, path);
  if (entries.length === 0)
    throw new DataError(`${path}: expected labels and weights, received an empty file`);
  const weights = new Map<string, number>();
  for (const [label, weight] of entries) {
    if (typeof weight !== 'number' || !Number.isFinite(weight) || weight <= 0)
      throw new DataError(
        `${path}: the weight of '${label}': expected a number above 0, received ${JSON.stringify(weight)}`,
      );
    if (weights.has(label)) throw new DataError(`${path}: two weights for '${label}'`);
    weights.set(label, weight);
  }
  return Object.fromEntries(weights);
}

function fromJson(text: string, path: string): (readonly [string, unknown])[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DataError(`${path}: not JSON (${(error as Error).message})`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DataError(`${path}: expected a JSON object from labels to weights`);
  return Object.entries(value);
}

function fromCsv(text: string, path: string): (readonly [string, unknown])[] {
  const { data, errors } = Papa.parse<string[]>(text, {
    skipEmptyLines: 'greedy',
    delimitersToGuess: [',', '\t', ';'],
  });
  const error = errors.find(({ type }) => type === 'Quotes');
  if (error) throw new DataError(`${path}: line ${(error.row ?? 0) + 1}: ${error.message}`);
  const numberOf = (cell = '') => (cell.trim() === '' ? Number.NaN : Number(cell));
  // A header is a first line whose second cell is no number.
  const rows = data.length > 1 && Number.isNaN(numberOf(data[0]?.[1])) ? data.slice(1) : data;
  return rows.map((row) => {
    const [label = '', weight] = row;
    if (row.length !== 2)
      throw new DataError(
        `${path}: expected lines of label and weight, received '${row.join(',').slice(0, 80)}'`,
      );
    const number = numberOf(weight);
    return [label.trim(), Number.isNaN(number) ? weight : number] as const;
  });
}

/** The label in a field of a sample as text: a number, or the name of a class. Pure. */
import { printable } from '../../printable.ts';
import type { LabelField } from './samples.ts';

/** A label; undefined where the field has none; or what is wrong, as a part of a sentence. */
export type LabelText = { readonly label: string } | { readonly problem: string } | undefined;

/** Longer texts are captions. */
const maxCharacters = 200;

const decoder = new TextDecoder('utf-8', { fatal: true });

export function labelText(field: LabelField, bytes: Uint8Array): LabelText {
  let text: string;
  try {
    text = decoder.decode(bytes).trim();
  } catch {
    return { problem: 'is not text in UTF-8' };
  }
  if (field !== 'json') return named(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `is not JSON (${printable((error as Error).message, 100)})` };
  }
  const found = typeof value === 'object' && value !== null ? labelOf(value) : value;
  if (found === undefined || found === null) return undefined;
  if (typeof found === 'string') return named(found.trim());
  if (Number.isSafeInteger(found)) return named(String(found));
  return {
    problem: `has a label that is neither a whole number nor a name: ${printable(JSON.stringify(found), 80)}`,
  };
}

/** The keys by which people call it, the first that is there. */
function labelOf(value: object): unknown {
  for (const key of ['label', 'cls', 'class']) if (Object.hasOwn(value, key)) return value[key as never];
  return undefined;
}

function named(text: string): LabelText {
  if (text === '') return undefined;
  if (text.length > maxCharacters || text.includes('\n'))
    return { problem: `is a text of ${text.length} characters, expected a label` };
  // 007 is 7; a negative number is how unlabelled images are marked.
  if (/^-?\d{1,15}$/.test(text)) return Number(text) < 0 ? undefined : { label: String(Number(text)) };
  return { label: printable(text) };
}

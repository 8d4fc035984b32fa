/** Text files as people have them: with or without a byte order mark, in UTF-8 or, from Windows, in UTF-16. */
import { readFile } from 'node:fs/promises';
import { DataError } from '../data-error.ts';

/** @throws DataError if there is no such file, or if it is not text. */
export async function readText(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new DataError(`${path}: ${error.code === 'ENOENT' ? 'no such file' : error.message}`);
  });
  return decodeText(bytes, path);
}

export function decodeText(bytes: Uint8Array, path: string): string {
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
  try {
    // A decoder drops the byte order mark.
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new DataError(`${path}: not a text file in UTF-8; save it as UTF-8`);
  }
}

/** Trimmed lines; empty ones at the end are left out. */
export function linesOf(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/).map((line) => line.trim());
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

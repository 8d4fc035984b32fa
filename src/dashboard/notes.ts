/** `notes.json` of a run: what people wrote about it, and tags by which the list is filtered. It stays with the run, wherever that is copied. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { z } from 'zod';
import { InceptionError } from '../errors.ts';
import { parseJson } from '../parse-json.ts';
import { replaceFile } from '../replace-file.ts';
import type { Notes } from './api.ts';
import { RunFileError, readText } from './run-file.ts';

export const notesFile = 'notes.json';

/** Of the file: four times what the text may hold, for its escapes. */
const maxBytes = 2 ** 17;

/** Without spaces, because the words of the list's filter are parted by them. */
const tag = z
  .string()
  .regex(
    /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,39}$/u,
    'expected a tag of letters, digits, dots, dashes and underscores, at most 40',
  );

export const notesSchema = z.strictObject({
  format: z.literal(1),
  text: z.string().max(20_000),
  tags: z
    .array(tag)
    .max(20)
    .refine((tags) => new Set(tags).size === tags.length, 'expected each tag once')
    .readonly(),
});

/** The notes changed since the page read them. */
export class NotesError extends InceptionError {
  override name = 'NotesError';
  /** Of the response. */
  readonly statusCode = 409;
}

/** Undefined for a run without any. @throws RunFileError unless it is what the dashboard writes */
export async function readNotes(folder: string): Promise<Notes | undefined> {
  const text = await readText(folder, notesFile, { maxBytes });
  if (text === undefined) return undefined;
  return parseJson(text, { schema: notesSchema, path: notesFile, Failure: RunFileError });
}

/** Two pages that save at the same time do so one after the other, so that the second learns of the first. */
const oneByOne = pLimit(1);

/** Replaces what the page had read. @throws NotesError if something else is there by now, RunFileError as {@link readNotes} */
export const writeNotes = (
  folder: string,
  { before, notes }: { readonly before: Notes | null; readonly notes: Notes },
): Promise<void> =>
  oneByOne(async () => {
    const now = (await readNotes(folder)) ?? null;
    if (keyOf(now) !== keyOf(before))
      throw new NotesError(
        'the notes of this run were changed elsewhere meanwhile; nothing was saved. Copy what you wrote, and discard it to see theirs',
      );
    // A temporary file that is there already may be a link to somewhere else: it is never written through.
    await replaceFile(join(folder, notesFile), (temporary) =>
      writeFile(temporary, `${JSON.stringify(notes, null, 2)}\n`, { flush: true, flag: 'wx' }),
    );
  });

const keyOf = (notes: Notes | null): string => JSON.stringify(notes && [notes.text, notes.tags]);

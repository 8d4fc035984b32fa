/** What a pack has written so far, beside its shards: by it a pack that was ended goes on. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { parseJson } from '../../parse-json.ts';
import { replaceText } from '../../replace-file.ts';
import { DataError } from '../data-error.ts';

const schema = z.object({
  format: z.literal(1),
  /** What it is of: every name and label. */
  sha256: z.string(),
  images: z.number().int().nonnegative(),
  options: z.object({
    maxBytes: z.number(),
    seed: z.number(),
    shorterSide: z.number().nullable(),
    quality: z.number().nullable(),
  }),
  /** Images before this place in the shuffled order are in shards that are whole. */
  position: z.number().int().nonnegative(),
  shards: z.array(z.object({ name: z.string(), images: z.number(), bytes: z.number() })),
  reencoded: z.number(),
  undecodable: z.array(z.object({ image: z.string(), reason: z.string() })),
});

export type PackRecord = z.infer<typeof schema>;

/** Undefined where there is none. @throws DataError for one that is broken */
export async function readPackRecord(path: string): Promise<PackRecord | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  return text === undefined ? undefined : parseJson(text, { schema, path, Failure: DataError });
}

export const writePackRecord = (path: string, record: PackRecord): Promise<void> =>
  replaceText(path, `${JSON.stringify(record, null, 1)}\n`);

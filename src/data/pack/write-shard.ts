/** Writes one shard: a tar archive with the same bytes for the same images, whoever writes it and when. */
import { open } from 'node:fs/promises';
import { InceptionError } from '../../errors.ts';
import { replaceFile } from '../../replace-file.ts';
import { memberBytes } from '../shards/tar/tar-bytes.ts';
import { blockBytes } from '../shards/tar/tar-header.ts';

/** Longer names do not fit a header of ustar, and are written in pax's form. */
const longestName = 100;

/** The members of a sample: its image and, beside it, its label. */
export const sampleBytes = (
  member: string,
  { key, image, label }: { key: string; image: Uint8Array; label: number },
): Uint8Array[] => [
  memberOf(member, image),
  ...(label >= 0 ? [memberOf(`${key}.cls`, new TextEncoder().encode(String(label)))] : []),
];

const memberOf = (name: string, body: Uint8Array): Uint8Array =>
  memberBytes({ name, body, form: Buffer.byteLength(name) > longestName ? 'pax' : 'ustar' });

/** Thrown to leave the unfinished file to `replaceFile`, which removes it. */
class Aborted extends InceptionError {
  override name = 'Aborted';
}

/**
 * Writes members until there are no more, and gives the archive its name when it is whole and on the disk. Gives what the members
 * return, or undefined after a signal: then there is no archive.
 */
export async function writeShard<Result>(
  path: string,
  members: AsyncGenerator<Uint8Array, Result>,
  signal?: AbortSignal,
): Promise<Result | undefined> {
  try {
    return await replaceFile(path, async (temporary) => {
      const file = await open(temporary, 'wx');
      try {
        let next = await members.next();
        for (; !next.done; next = await members.next()) await file.write(next.value);
        if (signal?.aborted) throw new Aborted();
        await file.write(new Uint8Array(2 * blockBytes));
        await file.sync();
        return next.value;
      } finally {
        await file.close();
      }
    });
  } catch (error) {
    if (error instanceof Aborted) return undefined;
    throw error;
  }
}

/** Reads image files, so that a failing disk is told from a broken image. */
import { open } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { DataError, MissingImageError, StorageError } from './data-error.ts';

/** Larger than any image within the decoder's limits; a file is held in memory as a whole. */
const maxBytes = 2 ** 29;

/** The file is not there, or not for us; trying again does not help. */
const missing: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  ENAMETOOLONG: 'no such file, the name is too long',
  EISDIR: 'is a folder, expected an image file',
  EACCES: 'may not be read (EACCES)',
  EPERM: 'may not be read (EPERM)',
  ELOOP: 'a symbolic link that leads to itself',
};

/** Waits before a file is tried again: too many open files, a network drive that does not answer for a moment. */
const delaysMs: readonly number[] = [50, 200, 1000, 3000];

/**
 * Reads a file, and tries again a few times if the system fails.
 * @throws MissingImageError, StorageError, or DataError if it is too large for an image.
 */
export async function readImageFile(
  path: string,
  {
    read = readBounded,
    delays = delaysMs,
  }: { read?: (path: string) => Promise<Uint8Array>; delays?: readonly number[] } = {},
): Promise<Uint8Array> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await read(path);
    } catch (error) {
      if (error instanceof DataError) throw error;
      const { code = (error as Error).message } = error as NodeJS.ErrnoException;
      const reason = missing[code];
      if (reason !== undefined) throw new MissingImageError(`${path}: ${reason}`, { cause: error });
      const delay = delays[attempt];
      if (delay === undefined)
        throw new StorageError(
          `${path}: cannot be read (${code}), tried ${attempt + 1} times; this is the file system, not the image`,
          { cause: error },
        );
      await wait(delay);
    }
  }
}

async function readBounded(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size > maxBytes)
      throw new DataError(`${path}: has ${size} bytes; expected an image file of at most ${maxBytes}`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

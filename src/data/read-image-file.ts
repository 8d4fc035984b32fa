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

/** A file that was listed may be gone while a drive is mounted again; whoever deletes a thousand does not wait for each. */
const missingDelaysMs: readonly number[] = [50, 200, 1000];
const missedLatelyMs = 60_000;
let lastMissed = Number.NEGATIVE_INFINITY;

export interface Patience<Result> {
  readonly read: (path: string) => Promise<Result>;
  readonly delays?: readonly number[];
  /** The same for a file that is not there; waited for only if none was missed in the last minute. */
  readonly missingDelays?: readonly number[];
}

/**
 * Reads a file, and tries again a few times if the system fails.
 * @throws MissingImageError, StorageError, or DataError if it is too large for an image.
 */
export const readImageFile = (
  path: string,
  patience: Patience<Uint8Array> = { read: readBounded },
): Promise<Uint8Array> => readWithPatience(path, patience);

/** Reads anything of a file with the same patience. @throws MissingImageError, StorageError, and the DataErrors of `read` */
export async function readWithPatience<Result>(
  path: string,
  { read, delays = delaysMs, missingDelays = missingDelaysMs }: Patience<Result>,
): Promise<Result> {
  const isPatient = performance.now() - lastMissed > missedLatelyMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await read(path);
    } catch (error) {
      if (error instanceof DataError) throw error;
      const { code = (error as Error).message } = error as NodeJS.ErrnoException;
      const reason = missing[code];
      const mayComeBack = code === 'ENOENT' && isPatient && missingDelays[attempt] !== undefined;
      if (reason !== undefined && !mayComeBack) {
        if (code === 'ENOENT') lastMissed = performance.now();
        throw new MissingImageError(`${path}: ${reason}`, { cause: error });
      }
      const delay = (reason === undefined ? delays : missingDelays)[attempt];
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

interface FilePart {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** Reads a part of a file: a member of an archive. @throws MissingImageError or StorageError, as for a file; DataError where the file is shorter than it was */
export const readMember = ({ file, offset, length }: FilePart): Promise<Uint8Array> =>
  readImageFile(file, {
    read: async (path) => {
      const opened = await open(path);
      try {
        const bytes = new Uint8Array(length);
        for (let filled = 0; filled < length; ) {
          const { bytesRead } = await opened.read(bytes, {
            offset: filled,
            length: length - filled,
            position: offset + filled,
          });
          if (bytesRead === 0)
            throw new DataError(
              `${file}: ends before byte ${offset + length}; it has changed since it was opened`,
            );
          filled += bytesRead;
        }
        return bytes;
      } finally {
        await opened.close();
      }
    },
  });

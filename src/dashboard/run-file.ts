/**
 * Opens the files of a folder for the dashboard: regular files that lie in the folder itself, and of a bounded size. A run folder may
 * come from anywhere; a link in it would let everybody who sees the page read the file it leads to, and a pipe would block a thread
 * until somebody writes into it.
 */
import { constants, lstatSync, type Stats } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { InceptionError } from '../errors.ts';

/** A file of a run is not served. The message says which and why. */
export class RunFileError extends InceptionError {
  override name = 'RunFileError';
}

// Windows has neither: its links are found by their real path.
const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

/**
 * Opens a regular file for reading; undefined if there is none.
 * @param folder A real path, without links.
 * @throws RunFileError for links, pipes, devices, folders, and files that may not be read.
 */
export const openRegular = async (folder: string, name: string): Promise<FileHandle | undefined> =>
  (await openSized(folder, name))?.file;

/** And its size when it was opened. */
export async function openSized(
  folder: string,
  name: string,
): Promise<{ readonly file: FileHandle; readonly size: number } | undefined> {
  const path = join(folder, name);
  const refuse = (what: string) => {
    throw new RunFileError(`${name}: expected a regular file of the folder, found ${what}`);
  };
  let file: FileHandle;
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'ELOOP') return refuse('a link');
    throw new RunFileError(`${name}: cannot be read (${code})`, { cause: error });
  }
  try {
    const status = await file.stat();
    if (!status.isFile()) refuse(status.isDirectory() ? 'a folder' : status.isFIFO() ? 'a pipe' : 'a device');
    if ((await realpath(path)) !== path) refuse('a link');
    return { file, size: status.size };
  } catch (error) {
    await file.close();
    throw error;
  }
}

const mebibyte = 2 ** 20;

/** The whole text of a file; undefined if there is none. @throws RunFileError as `openRegular`, and for more than `maxBytes`. */
export async function readText(
  folder: string,
  name: string,
  { maxBytes }: { readonly maxBytes: number },
): Promise<string | undefined> {
  const opened = await openSized(folder, name);
  if (!opened) return undefined;
  try {
    return (await readPart(opened, { name, from: 0, maxBytes })).bytes.toString('utf8');
  } finally {
    await opened.file.close();
  }
}

/** The bytes of an open file from an offset on, which is 0 if `from` is past the end. @throws RunFileError */
export async function readPart(
  { file, size }: { readonly file: FileHandle; readonly size: number },
  { name, from, maxBytes }: { readonly name: string; readonly from: number; readonly maxBytes: number },
): Promise<{ readonly start: number; readonly bytes: Buffer }> {
  if (size > maxBytes)
    throw new RunFileError(
      `${name}: expected at most ${maxBytes / mebibyte} MiB, received ${Math.round(size / mebibyte)} MiB`,
    );
  const start = from <= size ? from : 0;
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size - start), position: start });
  return { start, bytes: buffer.subarray(0, bytesRead) };
}

/**
 * Size and time of a file, or of whatever else has its name, without opening it. Synchronous: for a thousand runs that is a tenth of
 * the time, since each answer is there in microseconds.
 */
export function statusOf(folder: string, name: string): Stats | undefined {
  try {
    return lstatSync(join(folder, name), { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Files that are whole or as they were, whenever the process is killed: made under a temporary name beside their own. */
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

let replacements = 0;

/** Gives what `make` gives. If it throws, what it made is removed and `path` stays as it was. */
export async function replaceFile<Result>(
  path: string,
  make: (temporary: string) => Promise<Result>,
): Promise<Result> {
  const temporary = `${path}.${process.pid}.${replacements++}.incomplete`;
  try {
    const result = await make(temporary);
    await rename(temporary, path);
    return result;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    // Of the file that was asked for: nobody knows the other one.
    if (error instanceof Error) error.message = error.message.replaceAll(temporary, path);
    throw namingFile(error, path);
  }
}

/** A system's error says which file it is about; those of `write` and `fsync` do not. */
export function namingFile(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || typeof (error as NodeJS.ErrnoException).syscall !== 'string') return error;
  if (!error.message.includes(path)) error.message = `${path}: ${error.message}`;
  return error;
}

/** Writes a text, to the disk, before it gets its name. */
export const replaceText = (path: string, text: string): Promise<void> =>
  replaceFile(path, (temporary) => writeFile(temporary, text, { flush: true }));

/** Removes the temporary files of `names` that a killed process left in a folder. No other process may be writing there. */
export async function removeIncomplete(folder: string, isOurs: (name: string) => boolean): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const [, name] = /^(.+?)\.(?:[\d.]+|[0-9a-f-]{36})\.incomplete$/.exec(entry.name) ?? [];
    if (name !== undefined && entry.isFile() && isOurs(name))
      await rm(join(folder, entry.name), { force: true });
  }
}

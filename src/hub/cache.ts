/** The hub's cache on disk, in the layout of Hugging Face's own library, so that both share one copy. */
import { copyFile, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { replaceFile } from '../replace-file.ts';
import { HubError, isPlainPath } from './settings.ts';

export interface HubCache {
  readonly blob: (etag: string) => string;
  readonly lock: (etag: string) => string;
  readonly ref: (revision: string) => string;
  readonly snapshot: (commit: string, file: string) => string;
  /** An empty file that exists if the commit is known to have no such file. */
  readonly absent: (commit: string, file: string) => string;
}

export function hubCache(cache: string, repository: string): HubCache {
  const name = `models--${repository.replaceAll('/', '--')}`;
  const pathIn =
    (...folders: string[]) =>
    (...path: string[]): string =>
      join(cache, name, ...folders, ...path);
  return {
    blob: pathIn('blobs'),
    // Not the library's <etag>.lock, which it locks with flock (missing in Node.js) and never deletes.
    lock: (etag) => join(cache, '.locks', name, `${etag}.inception.lock`),
    ref: pathIn('refs'),
    snapshot: pathIn('snapshots'),
    absent: pathIn('.no_exist'),
  };
}

/** Validates an untrusted name that becomes the name of a file or folder. @throws HubError */
export function checkSegment(text: string, label: string): string {
  const safe = /^[\w-][\w.+=-]{0,199}$/.test(text) && !text.includes('..');
  if (!safe || text.endsWith('.incomplete'))
    throw new HubError(`${label}: '${text.slice(0, 200)}' is not a safe file name; nothing was written`);
  return text;
}

/** @throws HubError if the file would be outside its snapshot. */
export function checkFileName(file: string, repository: string): void {
  if (!isPlainPath(file))
    throw new HubError(`hub:${repository}: '${file}' is not a file name in a repository`);
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** What the cache knows about a file: its path, that it does not exist, or nothing. */
export interface CachedFile {
  readonly path?: string;
  readonly absent?: true;
  readonly commit?: string;
}

export async function findCached(
  cache: HubCache,
  { revision, file }: { revision: string; file: string },
): Promise<CachedFile> {
  const commit = isCommit(revision) ? revision : await readRef(cache, revision);
  if (commit === undefined) return {};
  const path = cache.snapshot(commit, file);
  if (await exists(path)) return { path, commit };
  return (await exists(cache.absent(commit, file))) ? { absent: true, commit } : { commit };
}

async function readRef(cache: HubCache, revision: string): Promise<string | undefined> {
  const path = cache.ref(revision);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : checkSegment(text.trim(), path);
}

/** Records which commit a branch or tag points to. */
export async function writeRef(cache: HubCache, revision: string, commit: string): Promise<void> {
  if (revision === commit) return;
  const path = cache.ref(revision);
  if ((await readFile(path, 'utf8').catch(() => '')) === commit) return;
  await mkdir(dirname(path), { recursive: true });
  await replaceFile(path, (temporary) => writeFile(temporary, commit));
}

export async function writeAbsent(cache: HubCache, commit: string, file: string): Promise<void> {
  const path = cache.absent(commit, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, '');
}

/** Error codes of systems or file systems without symbolic links, or without permission to create them. */
const noSymlinkCodes: ReadonlySet<string> = new Set([
  'EPERM',
  'EACCES',
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EINVAL',
]);

/** Links the snapshot's file to its blob, or copies it where links are impossible. */
export async function linkSnapshot(
  { path, blob }: { path: string; blob: string },
  makeLink: (target: string, path: string) => Promise<void> = symlink,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const target = relative(dirname(path), blob);
  await replaceFile(path, (temporary) =>
    makeLink(target, temporary).catch((error: NodeJS.ErrnoException) => {
      if (!noSymlinkCodes.has(error.code ?? '')) throw error;
      return copyFile(blob, temporary);
    }),
  );
}

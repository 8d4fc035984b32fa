/** Expands patterns such as `photos/*.jpg`, where no shell has: in quotes, or on Windows. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Whether a text may be a pattern: `*`, `?`, `[…]` or `{…,…}`. */
export const isGlob = (text: string): boolean => /[*?[\]{}]/.test(text);

/**
 * The files and folders that a pattern matches, sorted. `**` is any number of folders, links not followed; as in a shell, hidden
 * names are matched only by a pattern that begins with a dot. Folders that cannot be read match nothing.
 */
export async function expandGlob(pattern: string): Promise<string[]> {
  const [first = '', ...rest] = pattern.split('/');
  const found = new Set<string>();
  const base = first === '' && rest.length > 0 ? { folder: '/', segments: rest } : undefined;
  await expand(base ?? { folder: '', segments: [first, ...rest] }, found);
  return [...found];
}

interface Search {
  readonly folder: string;
  readonly segments: readonly string[];
}

async function expand({ folder, segments }: Search, found: Set<string>): Promise<void> {
  const [segment, ...rest] = segments;
  if (segment === undefined) {
    if (folder !== '') found.add(folder);
    return;
  }
  if (segment === '') return expand({ folder, segments: rest }, found);
  if (segment === '**') {
    await expand({ folder, segments: rest }, found);
    for (const entry of await sortedEntries(folder))
      if (entry.isDirectory() && !entry.name.startsWith('.'))
        await expand({ folder: join(folder, entry.name), segments }, found);
    return;
  }
  if (!isGlob(segment)) {
    const path = join(folder, segment);
    if (await stat(path).catch(() => undefined)) await expand({ folder: path, segments: rest }, found);
    return;
  }
  const matches = segmentExpression(segment);
  for (const { name } of await sortedEntries(folder)) {
    if (name.startsWith('.') && !segment.startsWith('.')) continue;
    if (matches.test(name)) await expand({ folder: join(folder, name), segments: rest }, found);
  }
}

async function sortedEntries(folder: string) {
  const entries = await readdir(folder === '' ? '.' : folder, { withFileTypes: true }).catch(() => []);
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** One name of a path as a regular expression. */
function segmentExpression(segment: string): RegExp {
  let depth = 0;
  const source = segment.replace(
    /\[(!?)([^\]]+)\]|[\s\S]/g,
    (text, not: string | undefined, set: string | undefined) => {
      if (set !== undefined) return `[${not ? '^' : ''}${set.replace(/[\\^\]]/g, '\\$&')}]`;
      if (text === '*') return '.*';
      if (text === '?') return '.';
      if (text === '{') return ++depth ? '(?:' : '';
      if (text === '}' && depth > 0) return depth-- ? ')' : '';
      if (text === ',' && depth > 0) return '|';
      return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    },
  );
  try {
    return new RegExp(`^${source}${')'.repeat(depth)}$`, 's');
  } catch {
    // A range whose end comes first, as [z-a], matches nothing, as in a shell.
    return /(?!)/;
  }
}

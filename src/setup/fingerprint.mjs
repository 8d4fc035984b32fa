/** A hash over files, folders and texts, by which a part of the set-up knows that nothing has changed. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

/**
 * @param {string} root what the paths are relative to
 * @param {readonly string[]} paths of files and folders; missing ones count as empty
 * @param {readonly string[]} texts
 */
export function fingerprint(root, paths, texts = []) {
  const hash = createHash('sha256');
  /** @param {string} path */
  const add = (path) => {
    if (!existsSync(path)) return;
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) add(join(path, name));
    } else hash.update(relative(root, path)).update(readFileSync(path));
  };
  for (const path of paths) add(join(root, path));
  for (const text of texts) hash.update(text);
  return hash.digest('hex');
}

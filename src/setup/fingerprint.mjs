/** A hash of files, folders and strings, by which a step of the set-up knows whether it is up to date. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

/**
 * @param {string} root base of the paths
 * @param {readonly string[]} paths files and folders; missing ones count as empty
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

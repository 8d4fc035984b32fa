/** The ONNX files that the page may load: those next to runs' weights, and those in a folder of models. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ModelFile } from './api.ts';
import { runFolders } from './runs.ts';

interface LocatedModel extends ModelFile {
  readonly folder: string;
  readonly file: string;
}

/** Caches the files' hashes by size and modification time. */
export class ModelList {
  readonly #runs: string;
  readonly #models: string | undefined;
  readonly #hashes = new Map<string, string>();

  constructor({ runs, models }: { runs: string; models: string | undefined }) {
    this.#runs = runs;
    this.#models = models;
  }

  async list(): Promise<readonly ModelFile[]> {
    return (await this.#find()).map(({ id, name, bytes, sha256 }) => ({ id, name, bytes, sha256 }));
  }

  /** Folder and file name of the model with this id, if there is one. */
  async locate(id: string): Promise<{ folder: string; file: string } | undefined> {
    return (await this.#find()).find((model) => model.id === id);
  }

  async #find(): Promise<LocatedModel[]> {
    const folders = [...(await runFolders(this.#runs)).values()].map(({ path }) => path);
    const searched = [...new Set([this.#runs, ...folders, ...(this.#models ? [this.#models] : [])])];
    const models: LocatedModel[] = [];
    for (const folder of searched) {
      for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
        if (!entry.isFile() || !/\.onnx$/i.test(entry.name)) continue;
        const path = join(folder, entry.name);
        const { size, mtimeMs } = await stat(path);
        models.push({
          id: createHash('sha256').update(path).digest('hex').slice(0, 16),
          name: folder === this.#runs ? entry.name : `${basename(folder)}/${entry.name}`,
          bytes: size,
          sha256: await this.#hash(path, `${size} ${mtimeMs}`),
          folder,
          file: entry.name,
        });
      }
    }
    return models;
  }

  async #hash(path: string, version: string): Promise<string> {
    const key = `${version} ${path}`;
    const cached = this.#hashes.get(key);
    if (cached !== undefined) return cached;
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    const digest = hash.digest('hex');
    this.#hashes.set(key, digest);
    return digest;
  }
}

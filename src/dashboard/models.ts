/** The ONNX files that the page may load: those next to runs' weights, and those in a folder of models. */
import { createHash } from 'node:crypto';
import { type FileHandle, readdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ModelFile } from './api.ts';
import { openRegular } from './run-file.ts';
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

  /** Opens the model with this id, if there is one; the caller closes it. @throws RunFileError */
  async open(id: string): Promise<FileHandle | undefined> {
    const model = (await this.#find()).find((each) => each.id === id);
    return model && openRegular(model.folder, model.file);
  }

  async #find(): Promise<LocatedModel[]> {
    const folders = (await runFolders(this.#runs)).values();
    const [root, added] = await Promise.all([this.#runs, this.#models].map(realPathOf));
    const searched = [...new Set([root, ...folders, added])].filter((folder) => folder !== undefined);
    const models: LocatedModel[] = [];
    for (const folder of searched) {
      for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
        if (!entry.isFile() || !/\.onnx$/i.test(entry.name)) continue;
        // A file that cannot be read, or has become something else, is no model to offer.
        const file = await openRegular(folder, entry.name).catch(() => undefined);
        if (!file) continue;
        const path = join(folder, entry.name);
        try {
          const { size, mtimeMs } = await file.stat();
          models.push({
            id: createHash('sha256').update(path).digest('hex').slice(0, 16),
            name: folder === root ? entry.name : `${basename(folder)}/${entry.name}`,
            bytes: size,
            sha256: await this.#hash(file, `${size} ${mtimeMs} ${path}`),
            folder,
            file: entry.name,
          });
        } finally {
          await file.close();
        }
      }
    }
    return models;
  }

  async #hash(file: FileHandle, version: string): Promise<string> {
    const cached = this.#hashes.get(version);
    if (cached !== undefined) return cached;
    const hash = createHash('sha256');
    await pipeline(file.createReadStream({ autoClose: false, start: 0 }), hash);
    const digest = hash.digest('hex');
    this.#hashes.set(version, digest);
    return digest;
  }
}

const realPathOf = async (folder: string | undefined): Promise<string | undefined> =>
  folder === undefined ? undefined : realpath(folder).catch(() => undefined);

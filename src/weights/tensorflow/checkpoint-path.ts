/** Locates a checkpoint from any path that a user may have: a prefix, one of its files, or its folder. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, isAbsolute, join } from 'node:path';
import { WeightsError } from '../tensor-file.ts';

export interface CheckpointPath {
  /** The file that is a table. */
  readonly table: string;
  /** Prefix of its .data files; undefined if the name does not tell. */
  readonly prefix: string | undefined;
}

const indexName = /\.index$/;
const shardName = /\.data-\d{5,}-of-\d{5,}$/;
const graphName = /\.meta$/;

/** A `checkpoint` file lists a few names; anything longer is something else. */
const maxStateBytes = 2 ** 20;

/** @throws WeightsError that does not name the path. */
export async function findCheckpoint(path: string): Promise<CheckpointPath> {
  const kind = await kindOf(path);
  if (kind === 'folder') return findInFolder(path);
  if (shardName.test(path)) return fromPrefix(path.replace(shardName, ''));
  if (
    kind === 'file' &&
    graphName.test(path) &&
    (await kindOf(path.replace(graphName, '.index'))) === 'file'
  ) {
    throw new WeightsError(
      `it contains a graph, the weights are in '${basename(path).replace(graphName, '.index')}'`,
    );
  }
  if (kind === 'file') {
    return { table: path, prefix: indexName.test(path) ? path.replace(indexName, '') : undefined };
  }
  return fromPrefix(path.replace(indexName, ''));
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function fromPrefix(prefix: string): Promise<CheckpointPath> {
  const table = `${prefix}.index`;
  if ((await kindOf(table)) === 'file') return { table, prefix };
  throw new WeightsError(
    `there is no such checkpoint: expected a file '${basename(table)}' next to its .data files, or a file of this name`,
  );
}

async function findInFolder(folder: string): Promise<CheckpointPath> {
  const names = await readdir(folder);
  if (names.includes('checkpoint')) return findNamed(folder, await readState(join(folder, 'checkpoint')));
  // TensorFlow's SavedModel.
  if (names.includes('saved_model.pb') && names.includes('variables'))
    return fromPrefix(join(folder, 'variables', 'variables'));
  const [index, ...otherIndexes] = names.filter((name) => indexName.test(name)).sort();
  if (index === undefined) {
    throw new WeightsError(
      "the folder has neither a 'checkpoint' file nor an .index file; use the path of a checkpoint",
    );
  }
  if (otherIndexes.length > 0) {
    throw new WeightsError(
      `the folder has ${otherIndexes.length + 1} checkpoints ('${index}', '${otherIndexes[0]}', …) and no 'checkpoint' file that names one; use the path of one`,
    );
  }
  return fromPrefix(join(folder, index.replace(indexName, '')));
}

/** An absolute name is from the machine that saved it: in a moved folder only its last part is valid. */
async function findNamed(folder: string, name: string): Promise<CheckpointPath> {
  const candidates = isAbsolute(name) ? [name, join(folder, basename(name))] : [join(folder, name)];
  for (const candidate of candidates) {
    if ((await kindOf(candidate)) === 'file') return { table: candidate, prefix: undefined };
    const table = `${candidate}.index`;
    if ((await kindOf(table)) === 'file') return { table, prefix: candidate };
  }
  throw new WeightsError(
    `its 'checkpoint' file names '${name}', expected '${basename(name)}.index' in the folder; use the path of a checkpoint`,
  );
}

/** The latest checkpoint in a `checkpoint` file, which is a CheckpointState as text. */
async function readState(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > maxStateBytes) {
    throw new WeightsError(`its 'checkpoint' file has ${size} bytes, expected at most ${maxStateBytes}`);
  }
  const [, quoted] =
    /^\s*model_checkpoint_path:\s*"((?:[^"\\\n]|\\.)*)"/m.exec(await readFile(path, 'utf8')) ?? [];
  if (quoted === undefined) {
    throw new WeightsError(`its 'checkpoint' file has no line 'model_checkpoint_path: "…"'`);
  }
  return decodeEscapes(quoted);
}

/** The text format of protocol buffers writes bytes outside ASCII in octal. */
function decodeEscapes(quoted: string): string {
  const bytes = quoted.replace(/[^\\]+|\\([0-7]{1,3})|\\(.)/g, (whole, octal?: string, letter?: string) => {
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    return Buffer.from(letter ?? whole, 'utf8').toString('latin1');
  });
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

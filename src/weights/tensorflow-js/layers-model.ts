/** TensorFlow.js layers models: `model.json` and its binary shards, as a file of tensors. */
import { realpath, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { quoted } from '../../printable.ts';
import { namingFile, openByteSource } from '../byte-source.ts';
import { type NamedTensor, type TensorFile, WeightsError } from '../tensor-file.ts';
import {
  type Manifest,
  type ManifestTensor,
  maxManifestBytes,
  parseManifest,
  type Storage,
} from './manifest.ts';

/** A shard with the range of its group's bytes that it holds. */
interface Shard {
  readonly path: string;
  readonly begin: number;
  readonly end: number;
}

/**
 * Opens a layers model by its `model.json`. Quantised tensors are read as float32, as TensorFlow.js itself does: scale · q + minimum.
 * @throws WeightsError naming the file and the problem.
 */
export async function openLayersModel(path: string): Promise<TensorFile> {
  const { manifest, shards } = await namingFile(path, async () => {
    const manifest = parseManifest(await readText(path));
    return { manifest, shards: await findShards(path, manifest) };
  });
  const { tensors, configuration } = manifest;
  let closed = false;
  return {
    format: 'tfjs-layers',
    tensors,
    metadata: new Map(configuration === undefined ? [] : [['model_config', configuration]]),
    decisions: quantisation([...tensors.values()]),
    read: (name) =>
      namingFile(path, async () => {
        const tensor = tensors.get(name);
        if (!tensor) throw new WeightsError(`there is no tensor ${quoted(name)}`);
        if (closed) throw new WeightsError('the file has been closed');
        const bytes = await readRange(shards[tensor.group] ?? [], tensor);
        const { dtype, shape, storage } = tensor;
        return { name, dtype, shape, data: valuesOf(bytes, dtype, storage) };
      }),
    close: async () => {
      closed = true;
    },
  };
}

async function readText(path: string): Promise<string> {
  const source = await openByteSource(path);
  try {
    if (source.size > maxManifestBytes)
      throw new WeightsError(
        `it has ${source.size} bytes, the limit for a model.json is ${maxManifestBytes}`,
      );
    return new TextDecoder().decode(await source.read(0, source.size));
  } finally {
    await source.close();
  }
}

/** The shards of each group, which must be files of the folder itself and have exactly the bytes that the tensors need. */
async function findShards(path: string, { groups, groupBytes }: Manifest): Promise<readonly Shard[][]> {
  const folder = dirname(path);
  const root = (await realpath(folder)) + sep;
  return Promise.all(
    groups.map(async (names, index) => {
      const shards: Shard[] = [];
      let end = 0;
      for (const name of names) {
        const shard = await realpath(join(folder, name)).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
          throw new WeightsError(`its shard ${quoted(name)} is missing; put it beside the file`, {
            cause: error,
          });
        });
        if (!shard.startsWith(root))
          throw new WeightsError(
            `its shard ${quoted(name)} is a link out of the folder; copy the file there`,
          );
        const info = await stat(shard);
        if (!info.isFile()) throw new WeightsError(`its shard ${quoted(name)} is not a file`);
        shards.push({ path: shard, begin: end, end: end + info.size });
        end += info.size;
      }
      if (end !== groupBytes[index])
        throw new WeightsError(
          `its tensors need ${groupBytes[index]} bytes, the ${names.length} shards have ${end}; are all of them there, and complete?`,
        );
      return shards;
    }),
  );
}

/** A tensor may begin in one shard and end in another. */
async function readRange(
  shards: readonly Shard[],
  { offset, bytes }: ManifestTensor,
): Promise<Uint8Array<ArrayBuffer>> {
  const result = new Uint8Array(bytes);
  for (const { path, begin, end } of shards) {
    const from = Math.max(begin, offset);
    const to = Math.min(end, offset + bytes);
    if (from >= to) continue;
    const source = await openByteSource(path);
    try {
      result.set(await source.read(from - begin, to - from), from - offset);
    } finally {
      await source.close();
    }
  }
  return result;
}

function valuesOf(bytes: Uint8Array<ArrayBuffer>, dtype: string, storage: Storage): NamedTensor['data'] {
  const { buffer } = bytes;
  switch (storage.kind) {
    case 'uint8':
    case 'uint16': {
      const { scale, minimum } = storage;
      const stored = storage.kind === 'uint8' ? bytes : new Uint16Array(buffer);
      // In float64, then rounded once: the arithmetic of TensorFlow.js.
      return Float32Array.from(stored, (value) => value * scale + minimum);
    }
    case 'float16':
      return new Uint16Array(buffer);
    case 'plain':
      return dtype === 'F32' ? new Float32Array(buffer) : dtype === 'I32' ? new Int32Array(buffer) : bytes;
  }
}

/** Says how many tensors are stored in fewer bits than they had. */
function quantisation(tensors: readonly ManifestTensor[]): string[] {
  return (['uint8', 'uint16', 'float16'] as const).flatMap((kind) => {
    const count = tensors.filter(({ storage }) => storage.kind === kind).length;
    return count === 0
      ? []
      : [`${count} of its ${tensors.length} tensors are quantised to ${kind}, and read as float32`];
  });
}

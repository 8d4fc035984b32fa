/** Opens a weights file of any supported format, recognised by its content. */
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { lfsPointerProblem } from '../git-lfs.ts';
import { openSafetensors } from './safetensors/safetensors.ts';
import { type TensorFile, WeightsError } from './tensor-file.ts';
import { isTable } from './tensorflow/leveldb-table.ts';

interface Ends {
  readonly head: Uint8Array;
  /** The last 48 bytes. */
  readonly tail: Uint8Array;
  readonly path: string;
}

// Each reader is loaded when its format is met.
const openH5File = async (path: string) => (await import('./keras/h5-file.ts')).openH5File(path);
const openKerasArchive = async (path: string) =>
  (await import('./keras/keras-archive.ts')).openKerasArchive(path);
const openTorchFile = async (path: string) => (await import('./torch/file.ts')).openTorchFile(path);
const openTensorFlowCheckpoint = async (path: string) =>
  (await import('./tensorflow/checkpoint.ts')).openTensorFlowCheckpoint(path);

const openLayersModel = async (path: string) =>
  (await import('./tensorflow-js/layers-model.ts')).openLayersModel(path);

const startsWith = (head: Uint8Array, ...bytes: readonly number[]): boolean =>
  bytes.every((byte, index) => head[index] === byte);

/** In order: the first match opens the file. */
const formats: readonly (readonly [
  matches: (ends: Ends) => boolean,
  open: (path: string) => Promise<TensorFile>,
])[] = [
  [({ head }) => startsWith(head, 0x89, 0x48, 0x44, 0x46), openH5File],
  [({ head, path }) => startsWith(head, 0x50, 0x4b) && path.endsWith('.keras'), openKerasArchive],
  [({ head }) => startsWith(head, 0x50, 0x4b) || (head[0] === 0x80 && (head[1] ?? 9) <= 5), openTorchFile],
  [({ tail }) => isTable(tail), openTensorFlowCheckpoint],
  [({ path }) => /\.(index|data-\d+-of-\d+)$/.test(path), openTensorFlowCheckpoint],
  [({ path }) => path.endsWith('.json'), openLayersModel],
  [({ head, path }) => head[8] === 0x7b || path.endsWith('.safetensors'), openSafetensors],
];

/** Opens a file of weights for reading, whatever its format. @throws WeightsError naming the file, and the formats if it is none of them. */
export async function openWeights(path: string): Promise<TensorFile> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory()) {
    const model = join(path, 'model.json');
    if ((await stat(model).catch(() => undefined))?.isFile()) return openLayersModel(model);
  }
  // A folder of checkpoints, or a TensorFlow prefix, which is not a file itself.
  if (!info?.isFile()) {
    const prefix = await stat(`${path}.index`).catch(() => undefined);
    if (info || prefix) return openTensorFlowCheckpoint(path);
    throw new WeightsError(`${path}: no such file`);
  }
  const file = await open(path, 'r');
  const ends = { head: new Uint8Array(64), tail: new Uint8Array(48), path };
  try {
    await file.read(ends.head, 0, 64, 0);
    await file.read(ends.tail, 0, 48, Math.max(0, info.size - 48));
  } finally {
    await file.close();
  }
  const problem = lfsPointerProblem(ends.head);
  if (problem !== undefined) throw new WeightsError(`${path}: ${problem}`);
  const format = formats.find(([matches]) => matches(ends));
  if (format) return format[1](path);
  throw new WeightsError(
    `${path}: not a supported weights format; expected safetensors, Keras (.h5, .keras), PyTorch (.pth, .pt, .bin), a TensorFlow checkpoint or a TensorFlow.js layers model (model.json)`,
  );
}

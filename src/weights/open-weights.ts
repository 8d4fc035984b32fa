/** Opens a file of weights of any format that is known here, by what is in it. */
import { open, stat } from 'node:fs/promises';
import { openH5File } from './keras/h5-file.ts';
import { openSafetensors } from './safetensors/safetensors.ts';
import { type TensorFile, WeightsError } from './tensor-file.ts';
import { isTensorFlowTable, openTensorFlowCheckpoint } from './tensorflow/checkpoint.ts';
import { openTorchFile } from './torch/file.ts';

interface Ends {
  readonly head: Uint8Array;
  /** The last 48 bytes. */
  readonly tail: Uint8Array;
  readonly path: string;
}

const begins = (head: Uint8Array, ...bytes: readonly number[]): boolean =>
  bytes.every((byte, index) => head[index] === byte);

/** In this order: the first that fits opens the file. */
const formats: readonly (readonly [
  fits: (ends: Ends) => boolean,
  open: (path: string) => Promise<TensorFile>,
])[] = [
  [({ head }) => begins(head, 0x89, 0x48, 0x44, 0x46), openH5File],
  [({ head, path }) => begins(head, 0x50, 0x4b) && path.endsWith('.keras'), refuseKerasArchive],
  [({ head }) => begins(head, 0x50, 0x4b) || (head[0] === 0x80 && (head[1] ?? 9) <= 5), openTorchFile],
  [({ tail }) => isTensorFlowTable(tail), openTensorFlowCheckpoint],
  [({ path }) => /\.(index|data-\d+-of-\d+)$/.test(path), openTensorFlowCheckpoint],
  [({ head, path }) => head[8] === 0x7b || path.endsWith('.safetensors'), openSafetensors],
];

/** @throws WeightsError naming the file, and the formats if it is none of them. */
export async function openWeights(path: string): Promise<TensorFile> {
  const about = await stat(path).catch(() => undefined);
  // A folder of checkpoints, or a TensorFlow prefix, which is no file itself.
  if (!about?.isFile()) {
    const prefix = await stat(`${path}.index`).catch(() => undefined);
    if (about || prefix) return openTensorFlowCheckpoint(path);
    throw new WeightsError(`${path}: there is no such file`);
  }
  const file = await open(path, 'r');
  const ends = { head: new Uint8Array(16), tail: new Uint8Array(48), path };
  try {
    await file.read(ends.head, 0, 16, 0);
    await file.read(ends.tail, 0, 48, Math.max(0, about.size - 48));
  } finally {
    await file.close();
  }
  const found = formats.find(([fits]) => fits(ends));
  if (found) return found[1](path);
  throw new WeightsError(
    `${path}: no format of weights that is known here: safetensors, Keras (.h5), PyTorch (.pth, .pt, .bin) or a TensorFlow checkpoint`,
  );
}

async function refuseKerasArchive(path: string): Promise<never> {
  throw new WeightsError(
    `${path}: a .keras archive; give the 'model.weights.h5' inside it, or save it by model.save_weights('x.weights.h5')`,
  );
}

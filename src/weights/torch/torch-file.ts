/** PyTorch's checkpoints (`.pth`, `.pt`, `.bin`), of both of its formats, as files of tensors. No pickle is executed. */
import { type ByteSource, openByteSource } from '../byte-source.ts';
import { type TensorFile, WeightsError } from '../tensor-file.ts';
import { openTorchArchive } from './torch-archive.ts';
import { openLegacyTorchFile } from './torch-legacy.ts';
import { findStateDict } from './torch-state-dict.ts';
import { type CheckedTensor, checkTensor, readValues } from './torch-tensor.ts';

/**
 * Opens a state_dict, or a checkpoint that holds one (`torch-state-dict.ts` says under which keys). Names lose the `module.` of
 * a wrapped network; what is no tensor is left out, but for texts, which are metadata.
 * @throws WeightsError naming the file.
 */
export async function openTorchFile(path: string): Promise<TensorFile> {
  return naming(path, async () => {
    const source = await openByteSource(path);
    try {
      return await openSource(path, source);
    } catch (error) {
      await source.close();
      throw error;
    }
  });
}

async function openSource(path: string, source: ByteSource): Promise<TensorFile> {
  const { value, storages } = await ((await isZip(source))
    ? openTorchArchive(source)
    : openLegacyTorchFile(source));
  const state = findStateDict(value);
  const tensors = new Map<string, CheckedTensor>();
  for (const [name, tensor] of state.tensors) {
    tensors.set(name, checkTensor(name, { tensor, storages, fileBytes: source.size }));
  }
  return {
    format: 'torch',
    tensors,
    metadata: state.metadata,
    read: (name) =>
      naming(path, async () => {
        const tensor = tensors.get(name);
        if (!tensor) throw new WeightsError(`there is no tensor '${name}'`);
        const values = await readValues(tensor, { storages, source });
        return { name, dtype: tensor.dtype, shape: tensor.shape, data: new tensor.type.array(values) };
      }),
    close: () => source.close(),
  };
}

async function isZip(source: ByteSource): Promise<boolean> {
  const [first, second] = await source.read(0, Math.min(source.size, 2));
  return first === 0x50 && second === 0x4b;
}

/** Errors about files, theirs and the system's, begin with the path that the user gave. */
async function naming<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const ofSystem = error instanceof Error && 'syscall' in error;
    if (!(error instanceof WeightsError || ofSystem)) throw error;
    throw new WeightsError(`${path}: ${error.message}`, { cause: error });
  }
}

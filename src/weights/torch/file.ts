/** PyTorch's checkpoints (`.pth`, `.pt`, `.bin`) in both formats, as files of tensors. No pickle is executed. */
import { type ByteSource, closeOnError, namingFile, openByteSource } from '../byte-source.ts';
import { type TensorFile, WeightsError } from '../tensor-file.ts';
import { openTorchArchive } from './archive.ts';
import { openLegacyTorchFile } from './legacy.ts';
import { findStateDict } from './state-dict.ts';
import { type CheckedTensor, checkTensor, readValues } from './tensor.ts';

/**
 * Opens a state_dict, a checkpoint that contains one under any key, or a whole pickled module, of which only the tensors are
 * read. Values that are not tensors are ignored, except strings, which become metadata.
 * @throws WeightsError naming the file.
 */
export async function openTorchFile(path: string): Promise<TensorFile> {
  return namingFile(path, async () => {
    const source = await openByteSource(path);
    return closeOnError(source, () => openSource(path, source));
  });
}

async function openSource(path: string, source: ByteSource): Promise<TensorFile> {
  const { value, storages, skipped } = await ((await isZip(source))
    ? openTorchArchive(source)
    : openLegacyTorchFile(source));
  const state = findStateDict(value, skipped);
  const tensors = new Map<string, CheckedTensor>();
  for (const [name, tensor] of state.tensors) {
    tensors.set(name, checkTensor(name, { tensor, storages, fileBytes: source.size }));
  }
  return {
    format: 'torch',
    tensors,
    metadata: state.metadata,
    decisions: state.decisions,
    read: (name) =>
      namingFile(path, async () => {
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

/** TensorFlow's checkpoints in both formats, as files of tensors. */
import { basename } from 'node:path';
import { type ByteSource, closeOnError, namingFile, openByteSource } from '../byte-source.ts';
import { type TensorFile, WeightsError } from '../tensor-file.ts';
import { type OpenTensors, openBundle } from './bundle.ts';
import { type CheckpointPath, findCheckpoint } from './checkpoint-path.ts';
import { openTable, type Table } from './leveldb-table.ts';
import { openSavedSlices } from './saved-slices.ts';

/**
 * Opens a checkpoint by its prefix (`model.ckpt-100`), any of its files, or its folder. Names are kept unchanged; tensors that
 * are not numbers of a known type (strings, object graphs) are ignored.
 * @throws WeightsError naming the path.
 */
export async function openTensorFlowCheckpoint(path: string): Promise<TensorFile> {
  const { tensors, read, close } = await namingFile(path, async () =>
    openLocated(await findCheckpoint(path)),
  );
  return {
    format: 'tf-checkpoint',
    tensors,
    metadata: new Map(),
    read: (name) =>
      namingFile(path, async () => {
        const tensor = await read(name);
        if (!tensor) throw new WeightsError(`there is no tensor '${name}'`);
        return tensor;
      }),
    close,
  };
}

async function openLocated(location: CheckpointPath): Promise<OpenTensors> {
  const source = await openByteSource(location.table);
  return closeOnError(source, async () => {
    const table = await openTable(source);
    const meta = await savedSlicesMeta(table);
    if (!meta) return openBundleOf(table, { source, location });
    const slices = openSavedSlices(table, { meta, fileBytes: source.size });
    return { ...slices, close: () => source.close() };
  });
}

async function openBundleOf(
  table: Table,
  { source, location: { table: path, prefix } }: { source: ByteSource; location: CheckpointPath },
): Promise<OpenTensors> {
  if (prefix === undefined) {
    throw new WeightsError(
      `it is the index of a checkpoint, whose .data files are located by its name: expected a name that ends with .index, received '${basename(path)}'`,
    );
  }
  const bundle = await openBundle(table, prefix);
  await source.close(); // the index has been read completely
  return bundle;
}

/**
 * The value of the empty key in a file of saved slices; undefined for a bundle. The former begins with a message (field 1, bytes),
 * the latter with a number.
 */
async function savedSlicesMeta(table: Table): Promise<Uint8Array | undefined> {
  for await (const { key, value } of table.entries()) {
    return key.length === 0 && value[0] === 0x0a ? value : undefined;
  }
  return undefined;
}

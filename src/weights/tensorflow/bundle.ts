/**
 * TensorFlow's checkpoints in two kinds of files (V2, "tensor bundle"): `.index` is a table of contents, `.data-…` are shards with the
 * values. Format: tensorflow/core/util/tensor_bundle/tensor_bundle.h
 */
import { basename } from 'node:path';
import { maskedCrc32c } from '../../crc32c.ts';
import { type ByteSource, closeOnError, openByteSource } from '../byte-source.ts';
import { type NamedTensor, type TensorInfo, WeightsError } from '../tensor-file.ts';
import type { Table } from './leveldb-table.ts';
import {
  type BundleEntry,
  type BundleHeader,
  decodeBundleEntry,
  decodeBundleHeader,
  decodeName,
} from './messages.ts';
import { type ElementType, elementCount, elementTypes } from './types.ts';

/** The latest supported version of bundles. */
const knownVersion = 1;

interface BundledTensor extends TensorInfo {
  readonly type: ElementType;
  readonly entry: BundleEntry;
}

export interface OpenTensors {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  read(name: string): Promise<NamedTensor | undefined>;
  close(): Promise<void>;
}

/** Reads the table of contents and opens the shards. @throws WeightsError that does not name the file. */
export async function openBundle(table: Table, prefix: string): Promise<OpenTensors> {
  const { header, tensors } = await readEntries(table);
  const shards = await openShards(tensors.values(), { prefix, header });
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  await closeOnError({ close }, () => {
    for (const tensor of tensors.values()) checkRange(tensor, shards.get(tensor.entry.shard) as ByteSource);
  });
  return {
    tensors,
    close,
    async read(name) {
      const tensor = tensors.get(name);
      if (!tensor) return undefined;
      const { shard, offset, size, checksum } = tensor.entry;
      const bytes = await (shards.get(shard) as ByteSource).read(offset, size);
      const received = maskedCrc32c(bytes);
      if (received !== checksum) {
        throw new WeightsError(
          `tensor '${name}' should have checksum ${checksum}, its ${size} bytes give ${received}: the file is corrupt, copy it again`,
        );
      }
      const { dtype, shape, type } = tensor;
      return { name, dtype, shape, data: new type.array(bytes.buffer) };
    },
  };
}

async function readEntries(
  table: Table,
): Promise<{ header: BundleHeader; tensors: ReadonlyMap<string, BundledTensor> }> {
  let header: BundleHeader | undefined;
  const tensors = new Map<string, BundledTensor>();
  for await (const { key, value } of table.entries()) {
    if (header === undefined) header = checkHeader(key, value);
    // The slices of a partitioned variable have keys that begin with 0; its own entry is rejected.
    else if (key[0] !== 0) addTensor(tensors, decodeName(key), decodeBundleEntry(value));
  }
  if (!header) throw new WeightsError('expected the header of a bundle, but the table is empty');
  return { header, tensors };
}

function checkHeader(key: Uint8Array, value: Uint8Array): BundleHeader {
  if (key.length > 0) {
    throw new WeightsError(
      `expected the header of a bundle under the empty key, the first key is '${decodeName(key)}'`,
    );
  }
  const header = decodeBundleHeader(value);
  if (header.bigEndian) {
    throw new WeightsError(
      'its numbers are big-endian, only little-endian is supported; save it again on a little-endian machine',
    );
  }
  if (header.minReader > knownVersion) {
    throw new WeightsError(
      `it needs a reader of version ${header.minReader}, this one supports ${knownVersion}`,
    );
  }
  return header;
}

function addTensor(tensors: Map<string, BundledTensor>, name: string, entry: BundleEntry): void {
  const type = elementTypes.get(entry.type);
  if (!type) return;
  if (tensors.has(name)) throw new WeightsError(`the index contains '${name}' twice`);
  const { shape, size, slices } = entry;
  if (slices > 0) {
    throw new WeightsError(
      `variable '${name}' is partitioned into ${slices} slices, which is not supported; save it unpartitioned`,
    );
  }
  const expected = elementCount(shape) * type.bytes;
  if (size !== expected) {
    throw new WeightsError(
      `tensor '${name}': ${type.dtype} [${shape.join(', ')}] needs ${expected} bytes, the index says ${size}`,
    );
  }
  tensors.set(name, { name, dtype: type.dtype, shape, type, entry });
}

const shardPath = (prefix: string, { shard, shards }: { shard: number; shards: number }): string =>
  `${prefix}.data-${String(shard).padStart(5, '0')}-of-${String(shards).padStart(5, '0')}`;

async function openShards(
  tensors: Iterable<BundledTensor>,
  { prefix, header: { shards } }: { prefix: string; header: BundleHeader },
): Promise<ReadonlyMap<number, ByteSource>> {
  const open = new Map<number, ByteSource>();
  const close = async () => {
    for (const shard of open.values()) await shard.close();
  };
  return closeOnError({ close }, async () => {
    for (const { name, entry } of tensors) {
      const { shard } = entry;
      if (open.has(shard)) continue;
      if (!(shard >= 0 && shard < shards)) {
        throw new WeightsError(`tensor '${name}' is in shard ${shard}, expected 0 to ${shards - 1}`);
      }
      open.set(shard, await openShard(shardPath(prefix, { shard, shards })));
    }
    return open;
  });
}

async function openShard(path: string): Promise<ByteSource> {
  return openByteSource(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new WeightsError(
      `there is no '${basename(path)}' next to the .index file; it contains the values, put it there`,
      { cause: error },
    );
  });
}

function checkRange({ name, entry: { offset, size } }: BundledTensor, { size: fileBytes }: ByteSource): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && offset + size <= fileBytes) return;
  throw new WeightsError(
    `tensor '${name}' has ${size} bytes at byte ${offset}, its .data file has ${fileBytes}; is the file complete?`,
  );
}

/** Reads and writes safetensors files, one tensor at a time, so that a file is never in memory twice. */
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { replaceFile } from '../../replace-file.ts';
import { type ByteSource, closeOnError, namingFile, openByteSource } from '../byte-source.ts';
import type { NamedTensor, TensorData, TensorFile } from '../tensor-file.ts';
import { checksumKey, fillChecksums, noChecksums, verifyHeader } from './checksums.ts';
import {
  elementBytes,
  type Header,
  maxHeaderBytes,
  parseHeader,
  SafetensorsError,
  type TensorEntry,
} from './header.ts';

export { SafetensorsError };

type ArrayType = new (buffer: ArrayBuffer) => TensorData;

/** BF16 and F16 are represented by their 16 bits. */
const arrays: Readonly<Record<string, ArrayType>> = {
  F32: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
  I32: Int32Array,
  BF16: Uint16Array,
  F16: Uint16Array,
};

const arrayFor = (dtype: string): ArrayType =>
  Object.hasOwn(arrays, dtype) ? (arrays[dtype] as ArrayType) : Uint8Array;

export interface TensorSource {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Called when the tensor is written. */
  read(): Promise<TensorData> | TensorData;
}

/**
 * Writes a file atomically: under a temporary name beside it, synced to disk, then renamed. With checksums, every later
 * reading verifies what it reads.
 * @throws SafetensorsError if a tensor's values do not fit its shape.
 */
export async function writeSafetensors(
  path: string,
  {
    tensors,
    metadata = {},
    checksums = false,
  }: {
    tensors: readonly TensorSource[];
    metadata?: Readonly<Record<string, string>>;
    checksums?: boolean;
  },
): Promise<void> {
  const header = encodeHeader(
    tensors,
    checksums ? { [checksumKey]: noChecksums(tensors.length), ...metadata } : metadata,
  );
  await replaceFile(path, async (temporary) => {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(header);
      const written: number[] = [];
      for (const tensor of tensors) {
        const bytes = bytesOf(tensor, await tensor.read());
        if (checksums) written.push(crc32(bytes));
        await file.writeFile(bytes);
      }
      if (checksums) {
        fillChecksums(header, written);
        await file.write(header, 0, header.length, 0);
      }
      await file.sync();
    } finally {
      await file.close();
    }
  });
  await syncFolder(dirname(path));
}

function bytesOf(tensor: TensorSource, data: TensorData): Uint8Array {
  const expected = byteCount(tensor);
  if (data.byteLength !== expected) {
    throw new SafetensorsError(
      `tensor '${tensor.name}': ${tensor.dtype} [${tensor.shape.join(', ')}] needs ${expected} bytes, received ${data.byteLength}`,
    );
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** A rename survives a power failure only if its folder is synced too; Windows cannot open folders. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  await handle.sync();
  await handle.close();
}

const byteCount = ({ dtype, shape }: { dtype: string; shape: readonly number[] }): number =>
  shape.reduce((product, size) => product * size, elementBytes[dtype] ?? Number.NaN);

/** Length, JSON, and spaces up to a multiple of 8, so that the data are aligned. */
function encodeHeader(
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  let offset = 0;
  const names = new Set<string>();
  const entries = tensors.map((tensor) => {
    const { name, dtype, shape } = tensor;
    if (names.has(name)) throw new SafetensorsError(`tensor '${name}' appears twice`);
    names.add(name);
    const begin = offset;
    offset += byteCount(tensor);
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, offset] })}`;
  });
  if (Object.keys(metadata).length > 0) entries.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  return bytes;
}

export interface SafetensorsFile extends TensorFile {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Whether the file was written with checksums, which `read` then verifies. */
  readonly verified: boolean;
}

/** Opens a file and checks its header; tensors are read on demand. @throws SafetensorsError naming the file. */
export const openSafetensors = (path: string): Promise<SafetensorsFile> =>
  naming(path, async () => {
    const source = await openByteSource(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      throw new SafetensorsError('no such file', { cause: error });
    });
    return closeOnError(source, () => openSource(path, source));
  });

async function openSource(path: string, source: ByteSource): Promise<SafetensorsFile> {
  const { size } = source;
  if (size < 8) throw new SafetensorsError(`expected at least 8 bytes, the file has ${size}`);
  const start = 8 + checkHeaderLength(await source.read(0, 8), size);
  const bytes = await source.read(0, start);
  const { tensors, metadata: entries } = parseHeader(bytes.subarray(8), size - start);
  const checksums = entries.get(checksumKey);
  const metadata = new Map(entries);
  metadata.delete(checksumKey);
  const verify = checksums === undefined ? undefined : verifyHeader(bytes, checksums, [...tensors.keys()]);
  return {
    format: 'safetensors',
    metadata,
    tensors,
    verified: verify !== undefined,
    read: (name) =>
      naming(path, async () => {
        const entry = tensors.get(name);
        if (!entry) throw new SafetensorsError(`there is no tensor '${name}'`);
        const values = await source.read(start + entry.begin, entry.end - entry.begin);
        verify?.(name, values);
        return { ...entry, data: new (arrayFor(entry.dtype))(values.buffer) };
      }),
    close: () => source.close(),
  };
}

const naming = <Result>(path: string, action: () => Promise<Result>): Promise<Result> =>
  namingFile(path, action, SafetensorsError);

function checkHeaderLength(length: Uint8Array, fileBytes: number): number {
  const headerBytes = new DataView(length.buffer, length.byteOffset, 8).getBigUint64(0, true);
  if (headerBytes > BigInt(maxHeaderBytes)) {
    throw new SafetensorsError(`its header would have ${headerBytes} bytes, the limit is ${maxHeaderBytes}`);
  }
  if (headerBytes < 2n)
    throw new SafetensorsError(`its header would have ${headerBytes} bytes, the minimum is 2`);
  if (8n + headerBytes > BigInt(fileBytes)) {
    throw new SafetensorsError(`its header would have ${headerBytes} bytes, the whole file has ${fileBytes}`);
  }
  return Number(headerBytes);
}

/** Decodes a whole file in memory. @throws SafetensorsError */
export function decodeSafetensors(bytes: Uint8Array): {
  metadata: Header['metadata'];
  tensors: NamedTensor[];
} {
  if (bytes.length < 8) throw new SafetensorsError(`expected at least 8 bytes, received ${bytes.length}`);
  const start = 8 + checkHeaderLength(bytes.subarray(0, 8), bytes.length);
  const { tensors, metadata } = parseHeader(bytes.subarray(8, start), bytes.length - start);
  return {
    metadata,
    tensors: [...tensors.values()].map((entry) => {
      // Not slice: on a Buffer it returns a view of the shared memory.
      const copy = new Uint8Array(bytes.subarray(start + entry.begin, start + entry.end));
      return { ...entry, data: new (arrayFor(entry.dtype))(copy.buffer) };
    }),
  };
}

/** Encodes tensors in memory as the bytes of a file. */
export function encodeSafetensors(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const sources = tensors.map((tensor) => ({ ...tensor, read: () => tensor.data }));
  const parts = [encodeHeader(sources, metadata)];
  for (const { data } of tensors) parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return Buffer.concat(parts);
}

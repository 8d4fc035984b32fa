/**
 * What the headers of a folder's shards say, in one file of columns: where each image lies, and its label. A million images take 54 MB
 * and are read in a moment. The images are in the order of a folder that holds them (`sortText`), whatever shard they are in.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { replaceFile } from '../../replace-file.ts';
import { blockBytes } from './tar/tar-header.ts';

/** A shard as it was when its headers were read. */
export interface IndexedShard {
  /** Within the folder. */
  readonly name: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly leftOut: readonly { what: string; count: number; examples: readonly string[] }[];
  readonly labelsFrom: { readonly [F in 'cls' | 'json' | 'txt']?: number | undefined };
}

/** A value for each image, in the same order. */
export interface Columns {
  /** Index into the shards. */
  readonly shard: Uint32Array;
  /** Where it begins, in blocks of 512 bytes. */
  readonly block: Uint32Array;
  /** Bytes. */
  readonly length: Uint32Array;
  /** Index into the labels; `noLabel` without one. */
  readonly label: Uint32Array;
  /** Hash of the last bytes. */
  readonly tail: Uint32Array;
  /** Where its path ends among the paths; it begins where that of the image before it ends. */
  readonly pathEnd: Uint32Array;
}

export interface ShardIndex {
  readonly shards: readonly IndexedShard[];
  /** Numbers and names, as written. */
  readonly labels: readonly string[];
  readonly images: number;
  readonly columns: Columns;
  /** UTF-8, one after the other. */
  readonly paths: Buffer;
}

export const noLabel = 0xffff_ffff;

const names = ['shard', 'block', 'length', 'label', 'tail', 'pathEnd'] as const;

const magic = Buffer.from('inception shards 1\n\0');

const schema = z.object({
  shards: z.array(
    z.object({
      name: z.string(),
      size: z.number().int().nonnegative(),
      mtimeMs: z.number(),
      leftOut: z.array(z.object({ what: z.string(), count: z.number(), examples: z.array(z.string()) })),
      labelsFrom: z.object({
        cls: z.number().optional(),
        json: z.number().optional(),
        txt: z.number().optional(),
      }),
    }),
  ),
  labels: z.array(z.string()),
  images: z.number().int().nonnegative(),
  pathBytes: z.number().int().nonnegative(),
});

/** Path of an image in its shard: `cat/1.jpg`. */
export function pathAt(
  { columns: { pathEnd }, paths }: Pick<ShardIndex, 'columns' | 'paths'>,
  row: number,
): string {
  return paths.toString('utf8', row === 0 ? 0 : (pathEnd[row - 1] as number), pathEnd[row] as number);
}

/** @throws the errors of the system */
export async function writeIndex(
  path: string,
  { shards, labels, images, columns, paths }: ShardIndex,
): Promise<void> {
  const header = Buffer.from(JSON.stringify({ shards, labels, images, pathBytes: paths.length }));
  const padding = Buffer.alloc((4 - (header.length % 4)) % 4, ' ');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length + padding.length);
  const pieces = [magic, length, header, padding, ...names.map((name) => bytesOf(columns[name])), paths];
  await replaceFile(path, (temporary) => writeFile(temporary, pieces, { flush: true }));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Undefined for a file that is not there, or of another version, or damaged: the headers are then read again. */
export async function readIndex(path: string): Promise<ShardIndex | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  return bytes && parseIndex(bytes);
}

/** An index may come with the shards from a stranger: nothing in it may lead out of them. */
export function parseIndex(bytes: Buffer): ShardIndex | undefined {
  const start = magic.length + 4;
  if (bytes.length < start || !bytes.subarray(0, magic.length).equals(magic)) return undefined;
  const headerEnd = start + bytes.readUInt32LE(magic.length);
  if (headerEnd > bytes.length || headerEnd % 4 !== 0) return undefined;
  const header = parseHeader(bytes.toString('utf8', start, headerEnd));
  if (!header) return undefined;
  const { shards, labels, images, pathBytes } = header;
  const pathsAt = headerEnd + 4 * images * names.length;
  if (pathsAt + pathBytes !== bytes.length) return undefined;
  // Typed arrays begin at multiples of four, which the buffer of a small file may not.
  const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : Buffer.from(new Uint8Array(bytes));
  const columns = Object.fromEntries(
    names.map((name, at) => [
      name,
      new Uint32Array(buffer, byteOffset + headerEnd + 4 * images * at, images),
    ]),
  ) as unknown as Columns;
  const index = { shards, labels, images, columns, paths: bytes.subarray(pathsAt) };
  return isWithin(index) ? index : undefined;
}

function parseHeader(text: string): z.infer<typeof schema> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function isWithin({ shards, labels, images, columns, paths }: ShardIndex): boolean {
  const { shard, block, length, label, pathEnd } = columns;
  let before = 0;
  for (let row = 0; row < images; row++) {
    const size = shards[shard[row] as number]?.size;
    if (size === undefined || (block[row] as number) * blockBytes + (length[row] as number) > size)
      return false;
    if ((label[row] as number) >= labels.length && label[row] !== noLabel) return false;
    const end = pathEnd[row] as number;
    if (end < before) return false;
    before = end;
  }
  return before === paths.length;
}

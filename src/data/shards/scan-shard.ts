/** One pass over the headers of a shard: where its images lie, and their labels. Images are skipped, not read. */
import { open } from 'node:fs/promises';
import { LeftOutCounter } from '../data-report.ts';
import type { LeftOut } from '../dataset.ts';
import { groupedImages } from './member-groups.ts';
import type { LabelField } from './samples.ts';
import { type ByteSource, FileSource } from './tar/byte-source.ts';
import { TarReader } from './tar/tar-reader.ts';

/** An image in a shard. */
export interface ScannedImage {
  /** `cat/1.jpg` */
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  /** A number or a name; undefined without one. */
  readonly label: string | undefined;
  /** Hash of the last bytes, by which images that are not identical are told apart. */
  readonly tail: number;
}

export interface ScannedShard {
  readonly images: readonly ScannedImage[];
  /** Members that are no part of a sample with an image. */
  readonly leftOut: readonly LeftOut[];
  /** How many labels come from which field. */
  readonly labelsFrom: Readonly<Partial<Record<LabelField, number>>>;
}

/** Read together with the header that follows an image. */
const tailBytes = 1024;

/** @throws ShardError, or the errors of the system */
export async function scanShard(path: string): Promise<ScannedShard> {
  const file = await open(path);
  try {
    return await scanMembers(new FileSource(file, (await file.stat()).size), path);
  } finally {
    await file.close();
  }
}

/** The images in the order in which they stand. `name` is the archive's in messages. @throws ShardError */
export async function scanMembers(source: ByteSource, name: string): Promise<ScannedShard> {
  const reader = new TarReader(source, name);
  const leftOut = new LeftOutCounter();
  const labelsFrom: Partial<Record<LabelField, number>> = {};
  const images: ScannedImage[] = [];
  const found = groupedImages(reader, {
    name,
    leftOut,
    keep: async (member) => hashOf(await reader.bytes(member, Math.max(0, member.length - tailBytes))),
  });
  for await (const { path, offset, length, label, field, kept } of found) {
    images.push({ path, offset, length, label, tail: kept });
    if (field) labelsFrom[field] = (labelsFrom[field] ?? 0) + 1;
  }
  return { images, leftOut: leftOut.list(), labelsFrom };
}

/** FNV-1a, 32 bits. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  return hash >>> 0;
}

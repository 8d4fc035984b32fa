/** Images of indexed shards as a data set: any one of them is a read at its place, in any order. */
import { join, relative, sep } from 'node:path';
import type { DataReport, Dataset } from '../dataset.ts';
import { decodeImage } from '../decode.ts';
import { readMember } from '../read-image-file.ts';
import { noLabel, pathAt, type ShardIndex } from './shard-index.ts';
import { blockBytes } from './tar/tar-header.ts';

/** Some shards of a folder. */
export interface IndexedFolder {
  readonly folder: string;
  readonly index: ShardIndex;
}

/** Where an image lies, and a hash of its last bytes. */
export interface ShardedImage {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
  readonly tail: number;
}

export interface ShardImagesOptions {
  readonly name: string;
  /** Names of images are relative to it. */
  readonly root: string;
  /** Whole paths of the shards that belong to it. */
  readonly shards: ReadonlySet<string>;
  /** Empty for images without labels. */
  readonly classes: readonly string[];
  readonly classOf: ReadonlyMap<string, number>;
  /** Whether images without a label belong to it. */
  readonly isLabelled: boolean;
  readonly report: DataReport;
}

/** The images of some shards, in the order of their paths. */
export function shardImages(
  folders: readonly IndexedFolder[],
  { name, root, shards, classes, classOf, isLabelled, report }: ShardImagesOptions,
): Dataset {
  const parts = folders.map(({ folder, index }) => {
    const files = index.shards.map((shard) => join(folder, shard.name));
    const rows = rowsOf(index, {
      isWanted: files.map((file) => shards.has(file)),
      isLabelled,
    });
    const classOfLabel = index.labels.map((label) => classOf.get(label) ?? -1);
    return { index, files, rows, classOfLabel };
  });
  type FolderPart = (typeof parts)[number];
  const begins = parts.map((_, at) => parts.slice(0, at).reduce((sum, { rows }) => sum + rows.length, 0));
  const at = (image: number): [FolderPart, number] => {
    const which = parts.length === 1 ? 0 : begins.findLastIndex((begin) => begin <= image);
    const part = parts[which] as FolderPart;
    return [part, part.rows[image - (begins[which] as number)] as number];
  };
  const encoded = (image: number): ShardedImage => {
    const [{ index, files }, row] = at(image);
    const { shard, block, length, tail } = index.columns;
    return {
      file: files[shard[row] as number] as string,
      offset: (block[row] as number) * blockBytes,
      length: length[row] as number,
      tail: tail[row] as number,
    };
  };
  const pathOf = (image: number): string => {
    const [{ index }, row] = at(image);
    return pathAt(index, row);
  };
  const nameOf = (image: number): string =>
    `${relative(root, encoded(image).file).replaceAll(sep, '/')}/${pathOf(image)}`;
  return {
    name,
    length: parts.reduce((sum, { rows }) => sum + rows.length, 0),
    classes,
    label: (image) => {
      const [{ index, classOfLabel }, row] = at(image);
      return classOfLabel[index.columns.label[row] as number] ?? -1;
    },
    image: async (image) => decodeImage(await readMember(encoded(image)), { name: nameOf(image) }),
    encoded,
    nameOf,
    pathOf,
    report,
  };
}

/** Rows of the wanted shards. */
export function rowsOf(
  { images, columns: { shard, label } }: ShardIndex,
  { isWanted, isLabelled }: { isWanted: readonly boolean[]; isLabelled: boolean },
): Uint32Array {
  const rows = new Uint32Array(images);
  let count = 0;
  for (let row = 0; row < images; row++)
    if (isWanted[shard[row] as number] && !(isLabelled && label[row] === noLabel)) rows[count++] = row;
  return count === images ? rows : rows.slice(0, count);
}

/** The images that arguments of a command name: files, folders and patterns. */
import { stat } from 'node:fs/promises';
import { DataError } from '../data-error.ts';
import { describeLeftOut, describeReport, LeftOutCounter } from '../data-report.ts';
import type { EncodedImage } from '../dataset.ts';
import { imageExtensions } from '../decode.ts';
import { findShards, isShardList } from '../shards/find-shards.ts';
import { openAnyShards } from '../shards/shard-source.ts';
import { expandGlob, isGlob } from './expand-glob.ts';
import { scanImages } from './scan-folder.ts';

/** An image file, or why an argument names none. */
export interface NamedImage {
  /** Of one in a shard: `train-0000.tar/cat/1.jpg`. */
  readonly file: string;
  readonly error?: string;
  /** Where it lies in its shard. */
  readonly encoded?: EncodedImage;
}

/**
 * All images in the order of the arguments; those of folders, sub-folders included, by name. A file that is named is taken
 * whatever its ending; of folders, images that cannot be read (`.bmp`) are taken too, so that they are reported one by one.
 */
export async function findImages(
  names: readonly string[],
  { onNotice }: { readonly onNotice?: ((line: string) => void) | undefined } = {},
): Promise<NamedImage[]> {
  const images: NamedImage[] = [];
  for (const name of names) {
    const info = await stat(name).catch(() => undefined);
    const inShards =
      info?.isDirectory() || isShardList(name) ? await imagesInShards(name, onNotice) : undefined;
    if (inShards) images.push(...inShards);
    else if (info?.isDirectory()) images.push(...(await imagesOf(name, onNotice)));
    else if (info || !isGlob(name)) images.push({ file: name });
    else {
      const matches = await expandGlob(name);
      images.push(
        ...(matches.length === 0
          ? [{ file: name, error: `${name}: no file matches` }]
          : await findImages(matches, { onNotice })),
      );
    }
  }
  return images;
}

/** Undefined for what is no list of shards and no folder of them. */
async function imagesInShards(
  name: string,
  onNotice: ((line: string) => void) | undefined,
): Promise<NamedImage[] | undefined> {
  try {
    if (!(await findShards(name))) return undefined;
    const dataset = await openAnyShards(name);
    for (const line of describeReport(dataset)) onNotice?.(line);
    return Promise.all(
      Array.from({ length: dataset.length }, async (_, index) => ({
        file: dataset.nameOf(index),
        encoded: (await dataset.encoded?.(index)) as EncodedImage,
      })),
    );
  } catch (error) {
    if (error instanceof DataError) return [{ file: name, error: error.message }];
    throw error;
  }
}

async function imagesOf(
  folder: string,
  onNotice: ((line: string) => void) | undefined,
): Promise<NamedImage[]> {
  const leftOut = new LeftOutCounter();
  try {
    const { files, unreadable } = await scanImages(folder, { root: folder, leftOut, countUnreadable: false });
    const line = describeLeftOut(folder, leftOut.list());
    if (line !== undefined) onNotice?.(line);
    const all = [...files, ...unreadable].map((file) => ({ file }));
    if (all.length > 0) return all;
    return [{ file: folder, error: `${folder}: contains no images (${imageExtensions.join(', ')})` }];
  } catch (error) {
    if (error instanceof DataError) return [{ file: folder, error: error.message }];
    throw error;
  }
}

/** Lists folders of images: what is read of them, and what is left out and counted. */
import { readdir, stat } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import { DataError } from '../data-error.ts';
import type { LeftOutCounter } from '../data-report.ts';
import { imageExtensions } from '../decode.ts';

/** Images to people, but not to the decoder: a class of nothing else is a mistake, not an empty folder. */
const unreadableImages: readonly string[] =
  '.bmp .heic .heif .jxl .jp2 .j2k .tga .pbm .pgm .ppm .ico .svg .psd .dng .cr2 .nef .arw .exr .dcm'.split(
    ' ',
  );

/** What file systems and unpackers add: copies of metadata, and thumbnails beside the images that they are of. */
const systemFolders: readonly string[] = ['__MACOSX', '@eaDir', '$RECYCLE.BIN', 'System Volume Information'];

const endingOf = (name: string): string => extname(name).toLowerCase();

/** One folder, without what is below its sub-folders. Names are sorted. */
export interface Listing {
  readonly images: readonly string[];
  /** Images that cannot be read: `.bmp`, `.heic`. */
  readonly unreadable: readonly string[];
  readonly folders: readonly string[];
  /** Whether it is the folder of a training run; nothing else is then listed. */
  readonly isRun: boolean;
}

/** Where left-out files are counted, under names relative to `root`. */
export interface ScanOptions {
  readonly root: string;
  readonly leftOut: LeftOutCounter;
  /** Whether images that cannot be read are counted too. Default true. */
  readonly countUnreadable?: boolean;
}

/** @throws DataError if there is no such folder, or it may not be read. */
export async function listFolder(folder: string, options?: ScanOptions): Promise<Listing> {
  const leave = (what: string, name: string) =>
    options?.leftOut.add(what, relative(options.root, join(folder, name)));
  const entries = await readEntries(folder);
  const names = new Set(entries.map(({ name }) => name));
  const listing = {
    images: [] as string[],
    unreadable: [] as string[],
    folders: [] as string[],
    isRun: names.has('config.json') && names.has('checkpoints'),
  };
  if (listing.isRun) return listing;
  for (const { name, kind } of entries) {
    if (name.startsWith('.')) leave(kind === 'folder' ? 'hidden folders' : 'hidden files', name);
    else if (kind === 'broken link') leave('broken links', name);
    else if (kind === 'other') leave('special files', name);
    else if (kind === 'folder' && systemFolders.includes(name)) leave("folders of the system's own", name);
    else if (kind === 'folder') listing.folders.push(name);
    else if (imageExtensions.includes(endingOf(name))) listing.images.push(name);
    else {
      const ending = endingOf(name);
      if (unreadableImages.includes(ending)) {
        listing.unreadable.push(name);
        if (options?.countUnreadable === false) continue;
      }
      leave(ending === '' ? 'files without an ending' : `${ending} files`, name);
    }
  }
  return listing;
}

interface Entry {
  readonly name: string;
  readonly kind: 'folder' | 'file' | 'broken link' | 'other';
}

async function readEntries(folder: string): Promise<Entry[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    return await Promise.all(
      entries.map(async (entry) => {
        // Data sets are often assembled from symbolic links.
        const info = entry.isSymbolicLink()
          ? await stat(join(folder, entry.name)).catch(() => undefined)
          : entry;
        if (!info) return { name: entry.name, kind: 'broken link' };
        return { name: entry.name, kind: info.isDirectory() ? 'folder' : info.isFile() ? 'file' : 'other' };
      }),
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const problem =
      code === 'ENOENT'
        ? 'no such folder'
        : code === 'ENOTDIR'
          ? 'is a file, expected a folder'
          : `cannot be read (${code})`;
    throw new DataError(`${folder}: ${problem}`, { cause: error });
  }
}

/** All images below a folder: those in it first, then those of each sub-folder. */
export interface ScannedImages {
  readonly files: readonly string[];
  /** How many of them are in sub-folders. */
  readonly inSubFolders: number;
  /** Images that cannot be read. */
  readonly unreadable: readonly string[];
}

/** Reads a folder and its sub-folders. Run folders and links that lead back are left out. @throws DataError */
export async function scanImages(folder: string, options: ScanOptions): Promise<ScannedImages> {
  const files: string[] = [];
  const unreadable: string[] = [];
  let direct = 0;
  const visit = async (current: string, above: readonly string[]): Promise<void> => {
    const { dev, ino } = await stat(current);
    const identity = `${dev} ${ino}`;
    const name = relative(options.root, current);
    if (above.includes(identity)) {
      options.leftOut.add('links back to a folder above them', name);
      return;
    }
    const listing = await listFolder(current, options);
    if (listing.isRun) {
      options.leftOut.add('folders of training runs', name);
      return;
    }
    for (const image of listing.images) files.push(join(current, image));
    for (const image of listing.unreadable) unreadable.push(join(current, image));
    if (above.length === 0) direct = files.length;
    for (const sub of listing.folders) await visit(join(current, sub), [...above, identity]);
  };
  await visit(folder, []);
  return { files, inSubFolders: files.length - direct, unreadable };
}

/** How many folders in a folder hold images, at any depth, counted up to `atMost`. */
export async function countClassFolders(folder: string, { atMost }: { atMost: number }): Promise<number> {
  let count = 0;
  for (const name of (await listFolder(folder)).folders) {
    if (await holdsImages(join(folder, name))) count++;
    if (count >= atMost) break;
  }
  return count;
}

/** Whether there is an image in a folder, at any depth. */
export async function holdsImages(folder: string, above: readonly string[] = []): Promise<boolean> {
  const { dev, ino } = await stat(folder);
  const identity = `${dev} ${ino}`;
  if (above.includes(identity)) return false;
  const { images, folders, isRun } = await listFolder(folder);
  if (isRun) return false;
  if (images.length > 0) return true;
  for (const name of folders) if (await holdsImages(join(folder, name), [...above, identity])) return true;
  return false;
}

/**
 * What the records of a folder's files say, in one file of columns: where each image lies, its label and its name. A million images take
 * 60 MB. It is made by one pass over the files, and again for those that have changed (size or time of change).
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '../../replace-file.ts';
import { RecordError } from './record-error.ts';
import type { ScannedFile } from './scan-records.ts';

const indexName = 'inception-records.index';

const fileSchema = z.object({
  /** Within the folder. */
  name: z.string(),
  size: z.number().int().nonnegative(),
  mtimeMs: z.number(),
  images: z.number().int().nonnegative(),
  pathBytes: z.number().int().nonnegative(),
  labels: z.array(
    z.object({ label: z.number(), synset: z.string().optional(), text: z.string().optional() }),
  ),
  leftOut: z.array(z.object({ what: z.string(), count: z.number(), examples: z.array(z.string()) })),
  lost: z.object({ bytes: z.number(), reason: z.string() }).optional(),
});

/** A file as it was when it was read, and a value for each of its images. */
export interface IndexedFile extends z.infer<typeof fileSchema> {
  /** Bytes from the beginning of the file. */
  readonly offsets: Float64Array;
  readonly lengths: Uint32Array;
  readonly classLabels: Uint32Array;
  /** Where each image's path ends in `paths`. */
  readonly pathEnds: Uint32Array;
  /** UTF-8. */
  readonly paths: Buffer;
}

export interface OpenedFiles {
  readonly files: readonly IndexedFile[];
  /** What was done besides reading the index, as sentences. */
  readonly decisions: readonly string[];
}

export interface IndexOptions {
  /** Called after each file that had to be read. */
  readonly onFile?: ((done: { files: number; of: number; name: string }) => void) | undefined;
  readonly environment?: NodeJS.ProcessEnv;
}

export const pathAt = ({ pathEnds, paths }: IndexedFile, image: number): string =>
  paths.toString('utf8', image === 0 ? 0 : (pathEnds[image - 1] as number), pathEnds[image] as number);

/** The named files of a folder, from the index or read. @throws RecordError */
export async function openRecordFiles(
  folder: string,
  names: readonly string[],
  { onFile, environment = process.env }: IndexOptions = {},
): Promise<OpenedFiles> {
  const [beside, cached] = [join(folder, indexName), cachedIndex(folder, environment)];
  const known = new Map<string, IndexedFile>();
  for (const path of [cached, beside]) for (const file of await readIndex(path)) known.set(file.name, file);
  const files: IndexedFile[] = [];
  const unknown: string[] = [];
  let bytes = 0;
  for (const name of names) {
    const { size, mtimeMs } = await statOf(join(folder, name));
    const before = known.get(name);
    if (before?.size === size && before.mtimeMs === mtimeMs) {
      files.push(before);
      continue;
    }
    unknown.push(name);
    bytes += size;
    // Loaded where there is something to read: it brings protobufjs.
    const { scanRecordFile } = await import('./scan-records.ts');
    const file = indexedFile(await scanRecordFile(join(folder, name)), { name, size, mtimeMs });
    known.set(name, file);
    files.push(file);
    onFile?.({ files: files.length, of: names.length, name });
  }
  if (unknown.length === 0) return { files, decisions: [] };
  const read = `${folder}: ${unknown.length === 1 ? '1 file was' : `${unknown.length} files were`} read once (${(bytes / 2 ** 30).toFixed(2)} GiB) and the checksums compared`;
  const place = await keep([...known.values()], [beside, cached]);
  return {
    files,
    decisions: [
      place === undefined
        ? `warning: ${read}; where the images lie can be kept neither there nor in ${dirname(cached)}, and will be read again`
        : `${read}; where the images lie is kept in ${place}`,
    ],
  };
}

/** Where an index is kept whose folder may not be written: with the caches of other programs. */
const cachedIndex = (folder: string, { XDG_CACHE_HOME, HOME }: NodeJS.ProcessEnv): string =>
  join(
    resolve(XDG_CACHE_HOME || join(HOME || homedir(), '.cache')),
    'inception-networks',
    'records',
    `${createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 32)}.index`,
  );

async function statOf(path: string): Promise<{ size: number; mtimeMs: number }> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new RecordError(
      `${path}: ${error.code === 'ENOENT' ? 'no such file' : `cannot be read (${error.code})`}`,
    );
  });
  if (!info.isFile()) throw new RecordError(`${path}: is no file; expected one of records`);
  return { size: info.size, mtimeMs: Math.floor(info.mtimeMs) };
}

export function indexedFile(
  { images, labels, leftOut, lost }: ScannedFile,
  known: Pick<IndexedFile, 'name' | 'size' | 'mtimeMs'>,
): IndexedFile {
  const paths = images.map(({ path }) => Buffer.from(path));
  let end = 0;
  const pathEnds = Uint32Array.from(paths, (path) => {
    end += path.length;
    return end;
  });
  return {
    ...known,
    images: images.length,
    pathBytes: end,
    labels: [...labels],
    leftOut: leftOut.map((each) => ({ ...each, examples: [...each.examples] })),
    lost,
    offsets: Float64Array.from(images, ({ offset }) => offset),
    lengths: Uint32Array.from(images, ({ length }) => length),
    classLabels: Uint32Array.from(images, ({ label }) => label),
    pathEnds,
    paths: Buffer.concat(paths),
  };
}

const magic = Buffer.from('inception records 1\n');
const preamble = magic.length + 4;

/** The place that could be written. */
async function keep(files: readonly IndexedFile[], places: readonly string[]): Promise<string | undefined> {
  const header = Buffer.from(JSON.stringify(files.map((file) => fileSchema.parse(file))));
  // Columns of 8 bytes begin at multiples of 8.
  const padding = Buffer.alloc((8 - ((preamble + header.length) % 8)) % 8, ' ');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length + padding.length);
  const columns = (['offsets', 'lengths', 'classLabels', 'pathEnds', 'paths'] as const).flatMap((column) =>
    files.map((file) => {
      const { buffer, byteOffset, byteLength } = file[column];
      return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
    }),
  );
  for (const path of places) {
    try {
      if (path !== places[0]) await mkdir(dirname(path), { recursive: true });
      await replaceFile(path, (temporary) =>
        writeFile(temporary, [magic, length, header, padding, ...columns], { flush: true }),
      );
      return path;
    } catch {
      // The next place is tried.
    }
  }
  return undefined;
}

/** Nothing for a file that is not there, or of another version, or damaged: the records are then read again. */
const readIndex = async (path: string): Promise<readonly IndexedFile[]> =>
  parseIndex(await readFile(path).catch(() => Buffer.alloc(0)));

/** An index may come with the files from a stranger: nothing in it may lead out of them. */
export function parseIndex(read: Buffer): readonly IndexedFile[] {
  if (read.length < preamble || !read.subarray(0, magic.length).equals(magic)) return [];
  const bytes = read.byteOffset % 8 === 0 ? read : Buffer.from(new Uint8Array(read).buffer);
  let at = preamble + bytes.readUInt32LE(magic.length);
  if (at > bytes.length || at % 8 !== 0) return [];
  const files = parseHeader(bytes.toString('utf8', preamble, at));
  const images = files.reduce((sum, file) => sum + file.images, 0);
  const pathBytes = files.reduce((sum, file) => sum + file.pathBytes, 0);
  if (at + images * 20 + pathBytes !== bytes.length) return [];
  const column = <Column>(make: (place: number, length: number) => Column, width: number) =>
    files.map((file) => {
      const place = at;
      at += file.images * width;
      return make(bytes.byteOffset + place, file.images);
    });
  const { buffer } = bytes;
  const uint32 = (place: number, length: number) => new Uint32Array(buffer, place, length);
  const offsets = column((place, length) => new Float64Array(buffer, place, length), 8);
  const [lengths, classLabels, pathEnds] = [column(uint32, 4), column(uint32, 4), column(uint32, 4)];
  const indexed = files.map((file, number): IndexedFile => {
    const paths = bytes.subarray(at, at + file.pathBytes);
    at += file.pathBytes;
    return {
      ...file,
      offsets: offsets[number] as Float64Array,
      lengths: lengths[number] as Uint32Array,
      classLabels: classLabels[number] as Uint32Array,
      pathEnds: pathEnds[number] as Uint32Array,
      paths,
    };
  });
  return indexed.every(isWithin) ? indexed : [];
}

function parseHeader(text: string): z.infer<typeof fileSchema>[] {
  try {
    return z.array(fileSchema).safeParse(JSON.parse(text)).data ?? [];
  } catch {
    return [];
  }
}

function isWithin({ size, images, labels, ...file }: IndexedFile): boolean {
  const known = new Set(labels.map(({ label }) => label));
  let before = 0;
  for (let image = 0; image < images; image++) {
    const [offset, length] = [file.offsets[image] as number, file.lengths[image] as number];
    const end = file.pathEnds[image] as number;
    if (!(offset >= 0 && Number.isSafeInteger(offset) && offset + length <= size)) return false;
    if (!known.has(file.classLabels[image] as number) || end < before) return false;
    before = end;
  }
  return before === file.paths.length;
}

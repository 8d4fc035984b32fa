/** What a data set holds, without decoding it: counts, bytes, and sizes by the headers of some images. */
import { stat } from 'node:fs/promises';
import pLimit from 'p-limit';
import { DataError, StorageError } from '../data-error.ts';
import { summarise, withReport } from '../data-report.ts';
import type { DataReport, Dataset, EncodedImage, Split } from '../dataset.ts';
import { loadSharp } from '../decode.ts';
import { readImageFile, readMember } from '../read-image-file.ts';
import { findSource } from '../sources/find-source.ts';

/** The smallest, the quartiles and the largest. */
export type Quantiles = readonly [min: number, lower: number, median: number, upper: number, max: number];

export interface SplitInfo extends DataReport {
  readonly name: Split | 'images';
  /** Where it lies. */
  readonly location: string;
  readonly images: number;
  readonly perClass: readonly (readonly [name: string, images: number])[];
  /** Of the images, encoded; null where they are stored as pixels. */
  readonly bytes: number | null;
  /** Files that the images are in. */
  readonly files: number | null;
  readonly first: readonly string[];
  /** Of some images, by their headers. */
  readonly looked: {
    readonly images: number;
    readonly width: Quantiles;
    readonly height: Quantiles;
    readonly formats: Readonly<Record<string, number>>;
    readonly unreadable: readonly { readonly image: string; readonly reason: string }[];
  };
}

export interface DataInfo {
  readonly format: 1;
  readonly source: string;
  readonly kind: string;
  readonly splits: readonly SplitInfo[];
}

/** Images whose headers are read; they are spread evenly over the split. */
const looked = 500;
const atOnce = 16;

/** @throws DataError for what is no data set; StorageError */
export async function describeData(source: string): Promise<DataInfo> {
  const found = await findSource(source);
  const splits: SplitInfo[] = [];
  for (const part of found.splits.length > 0 ? found.splits : (['all'] as const)) {
    const opened = await found.open(part, { fewestClasses: 1 });
    const dataset = splits.length === 0 ? withReport(opened, found.report) : opened;
    splits.push(await describeSplit(dataset, part === 'all' ? 'images' : part));
  }
  return { format: 1, source, kind: found.kind, splits };
}

async function describeSplit(dataset: Dataset, name: SplitInfo['name']): Promise<SplitInfo> {
  const { images, perClass, leftOut, decisions } = summarise(dataset);
  const firstNames = Array.from({ length: Math.min(3, images) }, (_, index) => dataset.nameOf(index));
  return {
    name,
    location: dataset.name,
    images,
    perClass,
    ...(await measure(dataset)),
    first: firstNames,
    looked: await look(dataset),
    leftOut,
    decisions,
  };
}

/** Sizes are those of an index, or of files. */
async function measure({ encoded, length }: Dataset): Promise<Pick<SplitInfo, 'bytes' | 'files'>> {
  if (!encoded) return { bytes: null, files: null };
  const files = new Set<string>();
  const limit = pLimit(atOnce);
  let bytes = 0;
  const measureOne = async (index: number) => {
    const image = await encoded(index);
    if ('file' in image) files.add(image.file);
    const size = await sizeOf(image);
    bytes += size;
  };
  for (let begin = 0; begin < length; begin += 1000)
    await Promise.all(
      Array.from({ length: Math.min(1000, length - begin) }, (_, at) => limit(() => measureOne(begin + at))),
    );
  return { bytes, files: files.size };
}

async function sizeOf(image: EncodedImage): Promise<number> {
  if ('bytes' in image) return image.bytes.length;
  // A file that is gone is named where its header is read.
  return image.length ?? (await stat(image.file).catch(() => ({ size: 0 }))).size;
}

async function look(dataset: Dataset): Promise<SplitInfo['looked']> {
  const { length } = dataset;
  const count = Math.min(looked, length);
  const widths: number[] = [];
  const heights: number[] = [];
  const formats: Record<string, number> = {};
  const unreadable: { image: string; reason: string }[] = [];
  const limit = pLimit(atOnce);
  const lookAt = async (index: number) => {
    try {
      const { width, height, format } = await headerOf(dataset, index);
      widths.push(width);
      heights.push(height);
      formats[format] = (formats[format] ?? 0) + 1;
    } catch (error) {
      if (!(error instanceof DataError) || error instanceof StorageError) throw error;
      unreadable.push({ image: dataset.nameOf(index), reason: error.message });
    }
  };
  await Promise.all(
    Array.from({ length: count }, (_, place) => limit(() => lookAt(Math.floor((place * length) / count)))),
  );
  return { images: count, width: quantiles(widths), height: quantiles(heights), formats, unreadable };
}

/** The size as it is seen: EXIF may turn an image. */
async function headerOf(
  dataset: Dataset,
  index: number,
): Promise<{ width: number; height: number; format: string }> {
  const encoded = await dataset.encoded?.(index);
  if (!encoded) {
    const { width, height } = await dataset.image(index);
    return { width, height, format: 'pixels' };
  }
  const bytes = 'bytes' in encoded ? encoded.bytes : await bytesOf(encoded);
  const load = await loadSharp();
  try {
    const { width, height, format, orientation = 1 } = await load(bytes, { pages: 1 }).metadata();
    return orientation > 4 ? { width: height, height: width, format } : { width, height, format };
  } catch (error) {
    throw new DataError(`${dataset.nameOf(index)}: ${(error as Error).message.split('\n')[0]}`, {
      cause: error,
    });
  }
}

const bytesOf = ({ file, offset, length }: Exclude<EncodedImage, { bytes: Uint8Array }>) =>
  offset === undefined || length === undefined ? readImageFile(file) : readMember({ file, offset, length });

function quantiles(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  return [at(0), at(0.25), at(0.5), at(0.75), at(1)];
}

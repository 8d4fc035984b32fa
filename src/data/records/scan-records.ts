/** One pass over a record file: where its images lie, their labels and names. Every checksum is checked, and no image decoded. */
import { open } from 'node:fs/promises';
import { printable } from '../../printable.ts';
import { LeftOutCounter } from '../data-report.ts';
import type { LeftOut } from '../dataset.ts';
import { type Feature, readExample, WireError } from './example.ts';
import { RecordError } from './record-error.ts';
import { compressionOf, headerBytes, type RandomReader, readRecords, recordLength } from './record-reader.ts';

/** An image within a record file. */
export interface ScannedRecord {
  /** `n01440764/n01440764_10026.JPEG`, or `#17`, its place in the file. */
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  readonly label: number;
}

/** What the records say of a label. */
export interface LabelNames {
  readonly label: number;
  readonly synset?: string | undefined;
  readonly text?: string | undefined;
}

export interface ScannedFile {
  readonly images: readonly ScannedRecord[];
  readonly labels: readonly LabelNames[];
  readonly leftOut: readonly LeftOut[];
  /** Bytes at the end that cannot be read, and why. */
  readonly lost?: { readonly bytes: number; readonly reason: string } | undefined;
}

/** The features of TF-Slim's and the Inception paper's code (`build_imagenet_data.py`). */
const names = {
  encoded: 'image/encoded',
  label: 'image/class/label',
  synset: 'image/class/synset',
  text: 'image/class/text',
  filename: 'image/filename',
  format: 'image/format',
} as const;

/** Larger numbers are no labels. */
const maxLabel = 1_000_000;

/** Texts of a label are names. */
const maxTextBytes = 1000;

/** @throws RecordError for a file that holds no such records at all; the errors of the system */
export async function scanRecordFile(path: string, name = path): Promise<ScannedFile> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const reader: RandomReader = {
      size,
      async read(target, position) {
        for (let filled = 0; filled < target.length; ) {
          const rest = { offset: filled, length: target.length - filled, position: position + filled };
          const { bytesRead } = await file.read(target, rest);
          if (bytesRead === 0) throw new RecordError(`${path}: became shorter while it was read`);
          filled += bytesRead;
        }
      },
    };
    return await scanRecords(reader, name);
  } finally {
    await file.close();
  }
}

/** @throws RecordError */
export async function scanRecords(file: RandomReader, name: string): Promise<ScannedFile> {
  await refuseOthers(file, name);
  const images: ScannedRecord[] = [];
  const labels = new Map<number, LabelNames>();
  const leftOut = new LeftOutCounter();
  let lost: ScannedFile['lost'];
  let record = -1;
  let others: readonly string[] | undefined;
  for await (const found of readRecords(file)) {
    const place = `${name}#${++record}`;
    if ('damaged' in found) {
      const { damaged } = found;
      if (found.lost === undefined) leftOut.add(`damaged records (${damaged})`, place);
      else lost = { bytes: found.lost, reason: `${damaged}, at byte ${found.offset}` };
      continue;
    }
    const read = readImage(found.data, record);
    if (typeof read === 'string') {
      leftOut.add(read, place);
      others ??= read === withoutImage ? featuresOf(found.data) : undefined;
      continue;
    }
    const { label, synset, text, ...image } = read;
    images.push({ ...image, label, offset: found.offset + image.offset });
    const before = labels.get(label);
    if (before?.synset !== undefined && synset !== undefined && before.synset !== synset)
      throw new RecordError(
        `${place}: label ${label} is of synset '${synset}'; before, it was of '${before.synset}'`,
      );
    labels.set(label, { label, synset: before?.synset ?? synset, text: before?.text ?? text });
  }
  if (images.length === 0)
    throw new RecordError(
      `${name}: none of its ${record + 1} records is a labelled image; expected the features ${names.encoded} and ${names.label}${others ? `, received ${others.join(', ')}` : `: ${leftOut.list()[0]?.what ?? lost?.reason ?? 'it is empty'}`}`,
    );
  return { images, labels: [...labels.values()], leftOut: leftOut.list(), lost };
}

/** @throws RecordError for a file that begins otherwise */
async function refuseOthers(file: RandomReader, name: string): Promise<void> {
  const head = new Uint8Array(Math.min(file.size, headerBytes));
  await file.read(head, 0);
  const compressed = compressionOf(head);
  if (compressed !== undefined)
    throw new RecordError(
      `${name}: is compressed by ${compressed}, so that no record can be read alone; write it without compression, or unpack it`,
    );
  if (head.length < headerBytes || recordLength(head) === undefined)
    throw new RecordError(`${name}: is no TFRecord file (the checksum of the first length is wrong)`);
}

const withoutImage = `records without ${names.encoded}`;

type ReadImage = ScannedRecord & Pick<LabelNames, 'synset' | 'text'>;

/** The image of a record, or what it lacks, in the plural. */
function readImage(data: Uint8Array, record: number): ReadImage | string {
  let features: ReadonlyMap<string, Feature>;
  try {
    features = readExample(data);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return 'records that are no tf.train.Example';
  }
  const [encoded, ...more] = features.get(names.encoded)?.bytes ?? [];
  if (!encoded) return withoutImage;
  if (more.length > 0) return 'records of several images';
  if (encoded.length === 0) return 'records of an empty image';
  const textOf = (name: string): string | undefined => {
    const [place] = features.get(name)?.bytes ?? [];
    if (!place || place.length === 0 || place.length > maxTextBytes) return undefined;
    const { offset, length } = place;
    const written = Buffer.from(data.subarray(offset, offset + length)).toString('utf8');
    return printable(written.replaceAll(/\s+/g, ' ').trim(), maxTextBytes) || undefined;
  };
  if (textOf(names.format)?.toLowerCase() === 'raw') return 'records of pixels (image/format raw)';
  const [label, ...labels] = features.get(names.label)?.integers ?? [];
  if (label === undefined) return `records without ${names.label}`;
  if (labels.length > 0) return 'records of several labels';
  if (label < 0 || label > maxLabel) return `records whose label is not from 0 to ${maxLabel}`;
  const [synset, text, filename] = [names.synset, names.text, names.filename].map(textOf);
  const path = pathOf({
    ...(synset !== undefined && { synset }),
    ...(text !== undefined && { text }),
    ...(filename !== undefined && { filename }),
  });
  return { path: path ?? `#${record}`, ...encoded, label, synset, text };
}

/** The path that the image had in the folders that the records were made of, which were called by synsets or, of other data, by names. */
function pathOf({ synset, text, filename }: Partial<Record<'synset' | 'text' | 'filename', string>>) {
  const [name, ...folders] = (filename ?? '').split(/[/\\]/).reverse();
  if (filename === undefined || !name) return undefined;
  const folder = synset ?? (folders.length === 0 ? text : undefined);
  return folder === undefined ? filename : `${folder}/${name}`;
}

const featuresOf = (data: Uint8Array): string[] =>
  [...readExample(data).keys()]
    .sort()
    .slice(0, 10)
    .map((name) => printable(name, 60));

/** One pass over the headers of a shard: where its images lie, and their labels. Images are skipped, not read. */
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { printable, quoted } from '../../printable.ts';
import { LeftOutCounter } from '../data-report.ts';
import type { LeftOut } from '../dataset.ts';
import { type LabelText, labelText } from './label-text.ts';
import { imageFields, isLabelField, type LabelField, labelFields, sampleName } from './samples.ts';
import { ShardError } from './shard-error.ts';
import { type ByteSource, FileSource } from './tar/byte-source.ts';
import { type TarMember, TarReader } from './tar/tar-reader.ts';

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
export const tailBytes = 1024;

/** JSON beside an image may hold captions and more; a label is short. */
const maxLabelBytes = 2 ** 20;

/** @throws ShardError, StorageError */
export async function scanShard(path: string, name = path): Promise<ScannedShard> {
  const file = await open(path);
  try {
    return await scanMembers(new FileSource(file, (await file.stat()).size), name);
  } finally {
    await file.close();
  }
}

/** The images in the order in which they stand. `name` is the archive's in messages. @throws ShardError */
export async function scanMembers(source: ByteSource, name: string): Promise<ScannedShard> {
  const reader = new TarReader(source, name);
  const scan = new Scan(name);
  for (let member = await reader.next(); member; member = await reader.next()) {
    const parts = sampleName(member.name);
    if (!parts) {
      scan.leave('members without a key and an ending', member.name);
      continue;
    }
    const { key, field } = parts;
    scan.begin(key);
    if (imageFields.includes(field)) scan.image(member, await tailOf(reader, member));
    else if (isLabelField(field)) {
      if (member.length > maxLabelBytes)
        throw new ShardError(
          `${name}: member ${quoted(member.name)} has ${member.length} bytes; expected a label of at most ${maxLabelBytes}`,
        );
      scan.label(member, field, labelText(field, await reader.bytes(member)));
    } else scan.leave(`.${printable(field, 40)} members`, member.name);
  }
  scan.begin(undefined);
  return scan.result();
}

const tailOf = async (reader: TarReader, member: TarMember): Promise<number> =>
  hashOf(await reader.bytes(member, Math.max(0, member.length - tailBytes)));

/** FNV-1a, 32 bits. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  return hash >>> 0;
}

interface Sample {
  readonly key: string;
  image?: Omit<ScannedImage, 'label'>;
  readonly labels: Partial<Record<LabelField, string>>;
  readonly fields: Set<LabelField>;
}

/** Members become samples. */
class Scan {
  readonly #shard: string;
  readonly #images: ScannedImage[] = [];
  readonly #leftOut = new LeftOutCounter();
  readonly #labelsFrom: Partial<Record<LabelField, number>> = {};
  #sample: Sample | undefined;

  constructor(shard: string) {
    this.#shard = shard;
  }

  leave(what: string, name: string): void {
    this.#leftOut.add(what, `${basename(this.#shard)}/${name}`);
  }

  /** A member of this key follows; members of one key stand together. */
  begin(key: string | undefined): void {
    if (this.#sample?.key === key) return;
    if (this.#sample) this.#end(this.#sample);
    this.#sample = key === undefined ? undefined : { key, labels: {}, fields: new Set() };
  }

  image({ name, offset, length }: TarMember, tail: number): void {
    const sample = this.#sample as Sample;
    if (sample.image)
      throw this.#error(
        name,
        `is a second image of key ${quoted(sample.key)}, beside ${quoted(sample.image.path)}`,
      );
    sample.image = { path: name, offset, length, tail };
  }

  label({ name }: TarMember, field: LabelField, found: LabelText): void {
    const sample = this.#sample as Sample;
    if (sample.fields.has(field))
      throw this.#error(name, `is a second .${field} of key ${quoted(sample.key)}`);
    sample.fields.add(field);
    if (!found) return;
    // A text beside an image is often a caption, and JSON often something else.
    if ('problem' in found && field === 'cls') throw this.#error(name, found.problem);
    if ('problem' in found) this.leave(`.${field} members without a label`, name);
    else sample.labels[field] = found.label;
  }

  #end({ image, labels, fields }: Sample): void {
    if (!image) {
      if (fields.size > 0) this.leave('labels without an image', (this.#sample as Sample).key);
      return;
    }
    const field = labelFields.find((each) => labels[each] !== undefined);
    if (field) this.#labelsFrom[field] = (this.#labelsFrom[field] ?? 0) + 1;
    this.#images.push({ ...image, label: field && labels[field] });
  }

  result = (): ScannedShard => ({
    images: this.#images,
    leftOut: this.#leftOut.list(),
    labelsFrom: this.#labelsFrom,
  });

  #error = (name: string, problem: string) =>
    new ShardError(`${this.#shard}: member ${quoted(name)} ${problem}`);
}

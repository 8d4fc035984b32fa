/** Members of a shard become samples: an image, and its label from the members with the same key. */
import { basename } from 'node:path';
import { printable, quoted } from '../../printable.ts';
import { LeftOutCounter } from '../data-report.ts';
import { labelText } from './label-text.ts';
import { pathOfMember } from './member-name.ts';
import { imageFields, isLabelField, type LabelField, labelFields, sampleName } from './samples.ts';
import { ShardError } from './shard-error.ts';
import type { TarMember, TarReader } from './tar/tar-reader.ts';

/** An image with its label, and what was kept of it. */
export interface GroupedImage<Kept> {
  /** `cat/1.jpg` */
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  /** A number or a name; undefined without one. */
  readonly label: string | undefined;
  /** The field that it is from. */
  readonly field: LabelField | undefined;
  readonly kept: Kept;
}

export interface GroupOptions<Kept> {
  /** The archive's name in messages. */
  readonly name: string;
  /** What of an image is read; what is not is skipped. */
  readonly keep: (member: TarMember) => Promise<Kept>;
  readonly leftOut?: LeftOutCounter;
}

/** JSON beside an image may hold captions and more; a label is short. */
const maxLabelBytes = 2 ** 20;

interface Sample<Kept> {
  readonly key: string;
  image?: Omit<GroupedImage<Kept>, 'label' | 'field'>;
  readonly labels: Partial<Record<LabelField, string>>;
  readonly fields: Set<LabelField>;
}

/** The images of a shard in their order. Members of one key stand together. @throws ShardError */
export async function* groupedImages<Kept>(
  reader: TarReader,
  { name, keep, leftOut = new LeftOutCounter() }: GroupOptions<Kept>,
): AsyncGenerator<GroupedImage<Kept>> {
  const leave = (what: string, member: string) => leftOut.add(what, `${basename(name)}/${member}`);
  const fail = (member: string, problem: string) =>
    new ShardError(`${name}: member ${quoted(member)} ${problem}`);
  const finished = ({ key, image, labels, fields }: Sample<Kept>): GroupedImage<Kept> | undefined => {
    if (!image && fields.size > 0) leave('labels without an image', key);
    const field = labelFields.find((each) => labels[each] !== undefined);
    return image && { ...image, label: field && labels[field], field };
  };
  let sample: Sample<Kept> | undefined;
  for (let member = await reader.next(); member; member = await reader.next()) {
    const parts = sampleName(member.name);
    if (!parts) {
      leave('members without a key and an ending', member.name);
      continue;
    }
    const { key, field } = parts;
    if (sample?.key !== key) {
      const before = sample && finished(sample);
      if (before) yield before;
      sample = { key, labels: {}, fields: new Set() };
    }
    if (imageFields.includes(field)) {
      if (sample.image)
        throw fail(
          member.name,
          `is a second image of key ${quoted(key)}, beside ${quoted(sample.image.path)}`,
        );
      const { offset, length } = member;
      sample.image = { path: pathOfMember(member.name), offset, length, kept: await keep(member) };
    } else if (isLabelField(field)) {
      if (sample.fields.has(field)) throw fail(member.name, `is a second .${field} of key ${quoted(key)}`);
      sample.fields.add(field);
      if (member.length > maxLabelBytes)
        throw fail(member.name, `has ${member.length} bytes; expected a label of at most ${maxLabelBytes}`);
      const found = labelText(field, await reader.bytes(member));
      // A text beside an image is often a caption, and JSON often something else.
      if (found && 'problem' in found && field === 'cls') throw fail(member.name, found.problem);
      if (found && 'problem' in found) leave(`.${field} members without a label`, member.name);
      else if (found) sample.labels[field] = found.label;
    } else leave(`.${printable(field, 40)} members`, member.name);
  }
  const last = sample && finished(sample);
  if (last) yield last;
}

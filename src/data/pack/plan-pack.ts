/** Which images go into a pack, in which order and under which names: a function of the data set and the seed. Pure. */
import { createHash } from 'node:crypto';
import { permutation, randomFor } from '../../random.ts';
import { DataError } from '../data-error.ts';
import type { Dataset } from '../dataset.ts';
import { relativePath } from '../relative-path.ts';
import { memberName, withOtherKey } from '../shards/member-name.ts';
import { imageFields, sampleName } from '../shards/samples.ts';

export interface PackPlan {
  /** Indices into the data set, shuffled: shards are read one after the other by those who stream. */
  readonly order: Uint32Array;
  /** Name of an image's member in the archive; without an ending where only its bytes tell the format. */
  memberOf(index: number): string;
  /** Of all names and labels: a pack goes on only with the same. */
  readonly sha256: string;
  /** Names that had to be written otherwise. */
  readonly renamed: readonly { readonly path: string; readonly member: string }[];
}

/** @throws DataError for two images of one name */
export function planPack(dataset: Dataset, seed: number): PackPlan {
  const hash = createHash('sha256');
  const paths = new Set<string>();
  const keys = new Set<string>();
  const renamed: { path: string; member: string }[] = [];
  const members: string[] = [];
  for (let index = 0; index < dataset.length; index++) {
    const path = relativePath(dataset, index);
    if (paths.has(path))
      throw new DataError(
        `${dataset.name}: two images are called '${path}'; expected names by which they can be told apart`,
      );
    paths.add(path);
    hash.update(`${path}\0${dataset.label(index)}\0`);
    let member = withEnding(path);
    for (let key = keyOf(member); keys.has(key); key = keyOf(member)) member = withOtherKey(member);
    keys.add(keyOf(member));
    if (path !== member && path !== member.slice(0, -1)) renamed.push({ path, member });
    members.push(member);
  }
  return {
    order: permutation(dataset.length, randomFor(seed, 0x7061636b)),
    memberOf: (index) => members[index] as string,
    sha256: hash.digest('hex'),
    renamed,
  };
}

/** A name that says no format, such as that of pixels or of a record, ends with a dot: the format is that of the bytes. */
function withEnding(path: string): string {
  const member = memberName(path);
  const field = member === undefined ? undefined : sampleName(member)?.field;
  if (member !== undefined && field !== undefined && imageFields.includes(field)) return member;
  return (memberName(`${path}.x`) as string).slice(0, -1);
}

export const keyOf = (member: string): string => member.slice(0, member.lastIndexOf('.'));

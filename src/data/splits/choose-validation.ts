/** Which training images become validation images. Pure: follows from the images' paths, labels and copies. */
import { createHash } from 'node:crypto';

/** Training images as the choice sees them. */
export interface Candidates {
  readonly length: number;
  readonly classes: readonly string[];
  label(index: number): number;
  /** Relative to the folder of the class folders, with `/`: the same on every machine. */
  pathOf(index: number): string;
  /** The first image that is identical to this one, in the order of the images. */
  readonly firstIdentical: ArrayLike<number>;
}

export interface ValidationChoice {
  /** Indices, ascending. */
  readonly train: readonly number[];
  readonly validation: readonly number[];
  /** Classes without validation images: one image, or copies of one. */
  readonly inTrainingOnly: readonly string[];
}

/** A uniform number in [0, 1) that follows from a path. NFC: file systems write an accent as one letter or as two. */
export function shareOf(path: string): number {
  const digest = createHash('sha256').update(path.normalize('NFC')).digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

/** Identical images, which stay together. */
interface Group {
  readonly share: number;
  readonly labels: ReadonlySet<number>;
  isValidation: boolean;
}

/**
 * Takes the images whose path hashes below `fraction`. Each image decides for itself, so that it stays where it is when others are
 * added, and a class has about the fraction. A class of two different images or more has at least one on each side: only
 * where chance would leave a side empty, the image next to the boundary changes sides.
 */
export function chooseValidation(candidates: Candidates, fraction: number): ValidationChoice {
  const { length, classes, label, pathOf, firstIdentical } = candidates;
  const labels = new Map<number, Set<number>>();
  for (let index = 0; index < length; index++) {
    const first = firstIdentical[index] as number;
    labels.set(first, (labels.get(first) ?? new Set()).add(label(index)));
  }
  const groups = new Map<number, Group>();
  const ofClass = classes.map((): Group[] => []);
  for (const [first, those] of labels) {
    const share = shareOf(pathOf(first));
    const group = { share, labels: those, isValidation: share < fraction };
    groups.set(first, group);
    for (const each of those) ofClass[each]?.push(group);
  }
  const alone = ofClass.filter((members) => members.length === 1).flat();
  for (const group of alone) group.isValidation = false;
  for (const members of ofClass) balance(members, { ofClass, alone });
  const sides = { train: [] as number[], validation: [] as number[] };
  for (let index = 0; index < length; index++) {
    const group = groups.get(firstIdentical[index] as number) as Group;
    sides[group.isValidation ? 'validation' : 'train'].push(index);
  }
  const inTrainingOnly = classes.filter(
    (_, index) => !ofClass[index]?.some(({ isValidation }) => isValidation),
  );
  return { ...sides, inTrainingOnly };
}

/** Moves one group where all are on one side, unless that empties a side of another class. */
function balance(
  members: readonly Group[],
  { ofClass, alone }: { ofClass: readonly (readonly Group[])[]; alone: readonly Group[] },
): void {
  const [first] = members;
  if (members.length < 2 || !first || members.some((group) => group.isValidation !== first.isValidation))
    return;
  const from = first.isValidation;
  const nearest = [...members].sort((a, b) => (from ? b.share - a.share : a.share - b.share));
  const remains = (label: number, moved: Group) =>
    (ofClass[label] ?? []).some((group) => group !== moved && group.isValidation === from);
  const movable = nearest.find(
    (group) => !alone.includes(group) && [...group.labels].every((label) => remains(label, group)),
  );
  if (movable) movable.isValidation = !from;
}

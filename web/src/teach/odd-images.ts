/** What is odd about the images of a person's classes: copies, look-alikes, small ones, and those of two classes at once. Pure. */
import { nearGroups } from '../../../src/check/near-duplicates.ts';
import type { TaughtImage } from './teaching.ts';

/** Images that are one photograph, in the order in which they came. */
export interface Copies {
  readonly images: readonly TaughtImage[];
  /** Whether they are the same file, to the byte. */
  readonly identical: boolean;
}

export interface OddImages {
  readonly undecodable: readonly TaughtImage[];
  /** Copies and look-alikes within a class. */
  readonly copies: readonly Copies[];
  /** Copies and look-alikes in more than one class: the labels contradict each other. */
  readonly contradictions: readonly Copies[];
  /** Smaller than the network's input in width or height. */
  readonly small: readonly TaughtImage[];
}

export function oddImages(
  images: readonly TaughtImage[],
  size: readonly [height: number, width: number],
): OddImages {
  const seen = images.filter((image) => image.seen !== undefined);
  const groups = nearGroups(seen.map((image) => image.seen?.hash)).map((places): Copies => {
    const together = places.map((place) => seen[place] as TaughtImage);
    const [first] = together;
    const digest = first?.seen?.digest;
    return {
      images: together,
      identical: digest !== undefined && together.every((image) => image.seen?.digest === digest),
    };
  });
  const isContradiction = (copies: Copies) =>
    copies.images.some((image) => image.classId !== copies.images[0]?.classId);
  return {
    undecodable: images.filter(({ problem }) => problem !== undefined),
    copies: groups.filter((copies) => !isContradiction(copies)),
    contradictions: groups.filter(isContradiction),
    small: seen.filter((image) => {
      const { width = 0, height = 0 } = image.seen ?? {};
      return width < size[1] || height < size[0];
    }),
  };
}

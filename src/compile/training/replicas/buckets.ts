/**
 * Cuts the flat gradient into buckets, which travel one by one while the backward pass computes the rest.
 *
 * The backward pass finishes each part of the buffer (dense weights, convolution weights, the small rest) from its end to its
 * beginning, so that a range of neighbours is finished soon after its last member.
 */
import type { Layout } from '../../layout.ts';

/** Elements of the flat buffers, [from, to). */
export type Range = readonly [from: number, to: number];

export interface BucketSizes {
  /** About this many bytes in a bucket; never more than one placement above it. */
  readonly bytes: number;
  /** Those that are finished first and last: the first so that the network has work soon, the last because nothing hides it. */
  readonly endBytes: number;
}

const mebibyte = 2 ** 20;

/**
 * PyTorch's sizes (25 MiB, the first 1 MiB), but at least about eight buckets, because of one bucket nothing can be hidden; and at the
 * end, of a small network, no more than a thirtieth.
 */
export const usualSizes = ({ trainableLength }: Pick<Layout, 'trainableLength'>): BucketSizes => {
  const all = trainableLength * 4;
  return {
    bytes: Math.max(mebibyte, Math.min(25 * mebibyte, all / 8)),
    endBytes: Math.max(mebibyte / 4, Math.min(mebibyte, all / 16)),
  };
};

/** Ranges of whole placements, which cover all trainable elements, each once. */
export function cutIntoBuckets(layout: Layout, sizes: BucketSizes = usualSizes(layout)): readonly Range[] {
  const { trainable, trainableLength, decayedLength, convolutions } = layout;
  const { bytes, endBytes } = sizes;
  const [convolutionsBegin] = convolutions;
  const parts: readonly Range[] = [
    [0, convolutionsBegin],
    [convolutionsBegin, decayedLength],
    [decayedLength, trainableLength],
  ];
  let limit = endBytes;
  return parts.flatMap((part): Range[] => {
    const [begin, end] = part;
    const starts = trainable.map(({ offset }) => offset).filter((offset) => offset >= begin && offset < end);
    // The convolutions' gradients are finished down to the first layer, which is the end of the backward pass.
    const last = begin === convolutionsBegin ? lastBucket(starts, part, endBytes) : begin;
    const buckets: Range[] = [];
    let to = end;
    for (const from of starts.toReversed()) {
      if (from < last || (to - from) * 4 < limit) continue;
      buckets.push([from, to]);
      to = from;
      limit = bytes;
    }
    if (to > last && last > begin && (to - last) * 4 >= endBytes) {
      buckets.push([last, to]);
      to = last;
    }
    if (to > begin) buckets.push([begin, to]);
    return buckets;
  });
}

/** Where the bucket at the beginning of a part ends. */
const lastBucket = (starts: readonly number[], [begin, end]: Range, bytes: number): number =>
  starts.find((offset) => (offset - begin) * 4 >= bytes) ?? end;

/**
 * The buckets in the order in which the last of their gradients is received.
 * @param received offsets of placements, in order.
 */
export function inOrderOfCompletion(
  buckets: readonly Range[],
  received: readonly number[],
): readonly Range[] {
  const finished = ([from, to]: Range) => received.findLastIndex((offset) => offset >= from && offset < to);
  return buckets
    .map((range) => ({ range, at: finished(range) }))
    .sort((a, b) => a.at - b.at)
    .map(({ range }) => range);
}

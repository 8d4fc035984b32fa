/** Checks the images of a data set before anybody trains on them. One pass decodes each image once and keeps a few bytes of it. */
import { availableParallelism } from 'node:os';
import { DataError, MissingImageError, StorageError } from '../data/data-error.ts';
import { summarise } from '../data/data-report.ts';
import { SkippedImages } from '../data/skipped-images.ts';
import { groupsOf } from '../data/splits/groups-of.ts';
import { firstIdentical } from '../data/splits/identical-files.ts';
import type { CheckedImage, DataCheck, DuplicateGroup, SizeRange } from './data-check.ts';
import { nearGroups } from './near-duplicates.ts';
import { type AllImages, openAll } from './open-all.ts';
import { nearThresholds, type PerceptualHash, perceptualHash } from './perceptual-hash.ts';

export interface CheckOptions {
  /** [height, width] of the network's input. */
  readonly inputSize: readonly [height: number, width: number];
  readonly signal?: AbortSignal | undefined;
  /** Called when the folders are listed, with the number of images. */
  readonly onStart?: (images: number) => void;
  readonly onImage?: (() => void) | undefined;
}

/** What is kept of an image. */
interface Seen {
  readonly height: number;
  readonly width: number;
  readonly hash: PerceptualHash;
}

/** A check with the images themselves, for thumbnails. */
export interface Checked {
  readonly check: DataCheck;
  readonly all: AllImages;
  /** Index of an image by its file. */
  indexOf(file: string): number;
}

/** @throws DataError if nothing can be used; what is found is no error. */
export async function checkData(
  source: string,
  { inputSize, signal, onStart, onImage }: CheckOptions,
): Promise<Checked> {
  const all = await openAll(source);
  onStart?.(all.length);
  const { seen, broken } = await lookAtEach(all, { signal, onImage });
  if (seen.every((image) => image === undefined) && !signal?.aborted)
    throw new DataError(
      `${source}: none of its ${all.length} images can be decoded (${[...broken.values()][0]})`,
    );
  const describe = describer(all);
  const files = Array.from({ length: all.length }, (_, index) => describe(index));
  const first = await firstIdentical(all.length, all.fingerprints);
  const identical = groupsOf(first.keys(), (index) => first[index]);
  const groupOf = new Map(
    identical.flatMap((group, number) => group.map((index) => [index, number] as const)),
  );
  const isOneImage = (group: readonly number[]) =>
    group.every((index) => groupOf.has(index) && groupOf.get(index) === groupOf.get(group[0] as number));
  const near = nearGroups(seen.map((image) => image?.hash)).filter((group) => !isOneImage(group));
  const groups = (found: readonly (readonly number[])[]) =>
    found.map((group) => duplicateGroup(group.map((index) => files[index] as CheckedImage))).sort(worstFirst);
  const sizes = seen.flatMap((image) => image ?? []);
  const [minHeight, minWidth] = inputSize;
  const classes = countClasses(all);
  const counts = classes.map(({ images }) => images);
  const indices = new Map(files.map(({ file }, index) => [file, index]));
  const check: DataCheck = {
    format: 1,
    source,
    images: all.length,
    splits: all.splits.map(({ name, dataset }) => ({ name, folder: dataset.name, images: dataset.length })),
    classes,
    imbalance: Math.max(...counts) / Math.min(...counts),
    missing: classes.flatMap(({ name, perSplit }) => {
      const splits = Object.keys(perSplit).filter((split) => perSplit[split] === 0);
      return splits.length === 0 ? [] : [{ class: name, splits }];
    }),
    undecodable: [...broken].map(([index, reason]) => ({ ...(files[index] as CheckedImage), reason })),
    width: rangeOf(sizes.map(({ width }) => width)),
    height: rangeOf(sizes.map(({ height }) => height)),
    smaller: {
      than: inputSize,
      images: seen.flatMap((image, index) =>
        image && (image.height < minHeight || image.width < minWidth)
          ? [{ ...(files[index] as CheckedImage), height: image.height, width: image.width }]
          : [],
      ),
    },
    identical: groups(identical),
    near: groups(near),
    nearThresholds,
    leftOut: all.splits.flatMap(({ dataset: { name, report } }) =>
      report && report.leftOut.length > 0 ? [{ folder: name, items: report.leftOut }] : [],
    ),
    decisions: all.splits.flatMap(({ dataset }) => dataset.report?.decisions ?? []),
  };
  return { check, all, indexOf: (file) => indices.get(file) ?? -1 };
}

/** A few images at a time; files of formats that are decoded by other threads. */
async function lookAtEach(all: AllImages, { signal, onImage }: Pick<CheckOptions, 'signal' | 'onImage'>) {
  const seen: (Seen | undefined)[] = new Array(all.length).fill(undefined);
  const broken = new Map<number, string>();
  const vanished = new Map(all.splits.map((split) => [split, new SkippedImages(split.dataset)]));
  let next = 0;
  const work = async () => {
    for (let index = next++; index < all.length && !signal?.aborted; index = next++) {
      const { split, index: inside } = all.at(index);
      try {
        const image = await split.dataset.image(inside);
        seen[index] = { height: image.height, width: image.width, hash: perceptualHash(image) };
      } catch (error) {
        // Files that vanish meanwhile are not undecodable images; more than a few end the check.
        if (!(error instanceof DataError) || error instanceof StorageError) throw error;
        if (error instanceof MissingImageError) vanished.get(split)?.add(inside, error);
        broken.set(index, error.message);
      }
      onImage?.();
    }
  };
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, work));
  return { seen, broken: new Map([...broken].sort(([a], [b]) => a - b)) };
}

const describer =
  (all: AllImages) =>
  (index: number): CheckedImage => {
    const { split, index: inside } = all.at(index);
    const { dataset, name } = split;
    return {
      file: dataset.nameOf(inside),
      split: name,
      class: dataset.classes[dataset.label(inside)] as string,
    };
  };

const duplicateGroup = (images: readonly CheckedImage[]): DuplicateGroup => ({
  images,
  acrossSplits: new Set(images.map(({ split }) => split)).size > 1,
  acrossClasses: new Set(images.map((image) => image.class)).size > 1,
});

/** Leaks first, then contradictions, then the largest. */
const worstFirst = (a: DuplicateGroup, b: DuplicateGroup): number =>
  Number(b.acrossSplits) - Number(a.acrossSplits) ||
  Number(b.acrossClasses) - Number(a.acrossClasses) ||
  b.images.length - a.images.length;

function countClasses({ splits, classes }: AllImages): DataCheck['classes'] {
  const counts = splits.map(({ dataset }) => new Map(summarise(dataset).perClass));
  return classes.map((name) => {
    const perSplit = Object.fromEntries(
      splits.map((split, number) => [split.name, counts[number]?.get(name) ?? 0]),
    );
    return { name, images: Object.values(perSplit).reduce((sum, count) => sum + count, 0), perSplit };
  });
}

function rangeOf(values: readonly number[]): SizeRange {
  const sorted = Uint32Array.from(values).sort();
  const [min = 0, median = 0, max = 0] = [0, sorted.length >> 1, sorted.length - 1].map((at) => sorted[at]);
  return { min, median, max };
}

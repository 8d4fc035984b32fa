/** Images as a training will see them: some of every class, each in several epochs. */
import type { Dataset } from '../../data/dataset.ts';
import { SkippedImages } from '../../data/skipped-images.ts';
import { augment } from '../../images/augment.ts';
import { isMixing, mixBatch } from '../../images/augmentation/mix.ts';
import type { Augmentation } from '../../images/augmentation.ts';
import type { Image } from '../../images/image.ts';
import { permutation, randomFor } from '../../random.ts';

/** An image as it is, and in some epochs. */
export interface PreviewRow {
  readonly name: string;
  readonly label: string;
  readonly original: Image;
  readonly draws: readonly PreviewDraw[];
}

export interface PreviewDraw {
  readonly image: Image;
  /** Its labels and their shares, the larger first; one with share 1 where nothing is mixed. */
  readonly labels: readonly (readonly [label: string, share: number])[];
}

interface DrawOptions {
  readonly augmentation: Augmentation;
  readonly size: readonly [height: number, width: number];
  readonly seed: number;
  readonly rows: number;
  readonly epochs: number;
}

/**
 * The draws are those of a training with this seed, but for mixing, where the other image is that of the row above.
 * @throws DataError if no image can be read.
 */
export async function previewRows(
  dataset: Dataset,
  { augmentation, size, seed, rows, epochs }: DrawOptions,
): Promise<PreviewRow[]> {
  const chosen = await readable(dataset, { order: spreadOverClasses(dataset, seed), count: rows });
  const bytes = size[0] * size[1] * 3;
  const drawn: PreviewDraw[][] = chosen.map(() => []);
  for (let epoch = 0; epoch < epochs; epoch++) {
    const images = new Uint8Array(chosen.length * bytes);
    const labels = BigInt64Array.from(chosen, ({ index }) => BigInt(dataset.label(index)));
    chosen.forEach(({ image, index }, row) => {
      augment(image, { augmentation, size, random: randomFor(seed, epoch, index) }, images, row * bytes);
    });
    const randomOf = (row: number) => randomFor(seed, epoch, chosen[row]?.index ?? 0, -1 - row);
    const mixed =
      isMixing(augmentation) && chosen.length > 1
        ? mixBatch({ images, labels }, augmentation, { size, randomOf })
        : undefined;
    drawn.forEach((draws, row) => {
      const nameOf = (label: bigint | undefined) => dataset.classes[Number(label)] ?? '';
      const share = mixed?.labelShare[row] ?? 1;
      const [own, other] = [nameOf(labels[row]), nameOf(mixed?.otherLabels[row])];
      draws.push({
        image: {
          height: size[0],
          width: size[1],
          channels: 3,
          data: images.slice(row * bytes, (row + 1) * bytes),
        },
        // What would be written as 0% is left out.
        labels:
          share >= 0.995 || own === other
            ? [[own, 1]]
            : [
                [own, share],
                [other, 1 - share],
              ],
      });
    });
  }
  return chosen.map(({ image, index }, row) => ({
    name: dataset.nameOf(index),
    label: dataset.classes[dataset.label(index)] ?? '',
    original: image,
    draws: drawn[row] ?? [],
  }));
}

/** Random indices: the first of every class, then the second of every class, and so on. */
function spreadOverClasses(dataset: Dataset, seed: number): number[] {
  const seen = dataset.classes.map(() => 0);
  return Array.from(permutation(dataset.length, randomFor(seed)), (index) => {
    const label = dataset.label(index);
    const turn = seen[label] ?? 0;
    seen[label] = turn + 1;
    return { index, turn };
  })
    .sort((a, b) => a.turn - b.turn)
    .map(({ index }) => index);
}

/** Images that cannot be read are passed over: a training names them. @throws as `SkippedImages` */
async function readable(
  dataset: Dataset,
  { order, count }: { order: readonly number[]; count: number },
): Promise<{ index: number; image: Image }[]> {
  const found: { index: number; image: Image }[] = [];
  const skipped = new SkippedImages(dataset);
  for (const index of order) {
    if (found.length === count) break;
    const image = await skipped.read(index);
    if (image) found.push({ index, image });
  }
  return found;
}

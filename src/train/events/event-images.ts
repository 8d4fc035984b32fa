/** Images of a training for its event file: some of a batch side by side, and the confusion matrix. */
import { encodePng } from '../../data/decode.ts';
import type { EvaluationRecord } from '../run/records.ts';

export interface EventImage {
  readonly png: Uint8Array;
  readonly size: readonly [height: number, width: number];
}

/** Of a batch, in rows of as many. */
const perRow = 4;

/** The first images of a batch, [n, height, width, 3], as the network is given them: sixteen, or as many whole rows as there are. */
export async function batchSheet(
  images: Uint8Array,
  [height, width]: readonly [height: number, width: number],
): Promise<EventImage> {
  const bytes = height * width * 3;
  const count = Math.min(perRow ** 2, images.length / bytes);
  const columns = Math.min(perRow, count);
  const rows = Math.floor(count / columns);
  const size = [rows * height, columns * width] as const;
  const data = new Uint8Array(size[0] * size[1] * 3);
  for (let row = 0; row < size[0]; row++)
    for (let column = 0; column < columns; column++) {
      const image = Math.floor(row / height) * columns + column;
      const start = image * bytes + (row % height) * width * 3;
      data.set(images.subarray(start, start + width * 3), (row * columns + column) * width * 3);
    }
  return { png: await encodePng({ height: size[0], width: size[1], channels: 3, data }), size };
}

/** More would need more than 512 pixels a side. */
export const maxClasses = 256;

/**
 * The confusion matrix, a row for each label and a column for each prediction, in the order of the classes from 0: black for none of a
 * label's images, white for all of them. Undefined for more than 256 classes.
 */
export async function confusionImage({
  classes,
  confusion,
}: Pick<EvaluationRecord, 'classes' | 'confusion'>): Promise<EventImage | undefined> {
  const count = classes.length;
  if (count > maxClasses) return undefined;
  const cell = Math.max(2, Math.floor(320 / count));
  const side = cell * count;
  const totals = new Map<number, number>();
  for (const [label, , images] of confusion) totals.set(label, (totals.get(label) ?? 0) + images);
  const data = new Uint8Array(side * side * 3);
  for (const [label, predicted, images] of confusion) {
    const level = Math.round((255 * images) / (totals.get(label) as number));
    for (let row = label * cell; row < (label + 1) * cell; row++)
      data.fill(level, (row * side + predicted * cell) * 3, (row * side + (predicted + 1) * cell) * 3);
  }
  return { png: await encodePng({ height: side, width: side, channels: 3, data }), size: [side, side] };
}

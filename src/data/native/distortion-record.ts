/** What is drawn for an image, as the numbers that native/images/distortion.h reads. */
import { cropValues, type Distortion } from '../../images/augment.ts';

const maxCrops = 10;

const lengths = { flips: 2, shift: 2, crops: 1 + maxCrops * cropValues, colour: 12, erase: 6 } as const;

/** Numbers of one image. */
export const recordValues = Object.values(lengths).reduce((sum, length) => sum + length, 0);

/**
 * Whether something comes between cropping and colours that the addon does not do: then colours and what is erased are left out of the
 * record too, and all of it is done afterwards.
 */
export const isContinued = ({ rotation, operations }: Distortion): boolean =>
  rotation !== 0 || operations.length > 0;

/** Writes an image's numbers at `offset`. */
export function writeRecord(distortion: Distortion, records: Float64Array, offset: number): void {
  const { flip, verticalFlip, shift, crops, colour, erase } = distortion;
  let at = offset;
  records[at++] = Number(flip);
  records[at++] = Number(verticalFlip);
  records[at++] = shift[0];
  records[at++] = shift[1];
  records[at++] = crops.length / cropValues;
  records.set(crops, at);
  if (isContinued(distortion)) return;
  at = offset + lengths.flips + lengths.shift + lengths.crops;
  if (colour) {
    records[at] = 1;
    records.set(colour.map, at + 1);
    records[at + 10] = colour.brightness;
    records[at + 11] = colour.contrast;
  }
  at += lengths.colour;
  if (erase) {
    records[at] = 1;
    records.set([erase.top, erase.left, erase.height, erase.width, erase.noise], at + 1);
  }
}

/** From a decoded picture to the network's input in evaluation: one definition, stored with every model. */
import { type Picture, resample } from './picture.ts';

export interface Preprocessing {
  /** The network's input. */
  readonly size: readonly [height: number, width: number];
  /** Share of each side that the central crop keeps; 1 is the whole picture. */
  readonly crop: number;
  /** The kernel that stretches the crop to the size. */
  readonly kernel: 'bilinear';
}

/** The paper's single crop as TF-Slim makes it: the central 87.5% of each side. */
export const centralCrop = 0.875;

/** Writes [height, width, 3] to `target` from `offset`. */
export function preprocess(picture: Picture, how: Preprocessing, target: Uint8Array, offset = 0): void {
  const height = picture.height * how.crop;
  const width = picture.width * how.crop;
  const box = { top: (picture.height - height) / 2, left: (picture.width - width) / 2, height, width };
  resample(picture, { box, size: how.size }, target, offset);
}

/** The protocol in words, to be printed with every result. */
export function describeProtocol({ size, crop, kernel }: Preprocessing): string {
  const part = crop === 1 ? 'whole picture' : `central ${+(crop * 100).toFixed(2)}%`;
  return `single crop, ${part}, stretched to ${size[0]}×${size[1]} (${kernel}, half-pixel centres), values in [−1, 1]`;
}

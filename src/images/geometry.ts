/** Images cut, resized and copied: whole pixels, no protocol. Pure; also for the browser. */
import { type Image, resample } from './image.ts';
import { type ResamplingKernel, type Resizing, resize } from './resize.ts';

/** The smallest size with the image's aspect ratio that covers `cover`: for a square, its side is the shorter side. */
export function coveringSize(
  { height, width }: Pick<Image, 'height' | 'width'>,
  cover: readonly [height: number, width: number],
): readonly [height: number, width: number] {
  // Rounded down, as in torchvision's resize.
  return height * cover[1] <= width * cover[0]
    ? [cover[0], Math.max(cover[1], Math.floor((cover[0] * width) / height))]
    : [Math.max(cover[0], Math.floor((cover[1] * height) / width)), cover[1]];
}

/** Resizes an image with any kernel, or computes a part of the resized image. */
export function resizeAny(image: Image, kernel: ResamplingKernel, resizing: Resizing): Image {
  if (kernel !== 'bilinear') return resize(image, kernel, resizing);
  const { size, part = { top: 0, left: 0, height: size[0], width: size[1] } } = resizing;
  const data = new Uint8Array(part.height * part.width * 3);
  const box = { top: 0, left: 0, height: image.height, width: image.width };
  resample(image, { box, size, part }, data);
  return { height: part.height, width: part.width, channels: 3, data };
}

/** Copies an image of the input size, mirroring it and converting between grey and RGB as required. */
export function writeInput(
  { height, width, channels: sourceChannels, data }: Image,
  { channels, flip }: { channels: 1 | 3; flip: boolean },
  target: Uint8Array,
  offset: number,
): void {
  if (sourceChannels === channels && !flip) {
    target.set(data, offset);
    return;
  }
  for (let y = 0, index = offset; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const source = (y * width + (flip ? width - 1 - x : x)) * sourceChannels;
      if (channels === 1)
        target[index++] = sourceChannels === 1 ? (data[source] as number) : luma(data, source);
      else
        for (let channel = 0; channel < 3; channel++)
          target[index++] = data[sourceChannels === 1 ? source : source + channel] as number;
    }
  }
}

/** ITU-R 601 luma in Pillow's integer arithmetic. */
const luma = (data: Uint8Array, index: number): number =>
  ((data[index] as number) * 19595 +
    (data[index + 1] as number) * 38470 +
    (data[index + 2] as number) * 7471 +
    0x8000) >>
  16;

/** From a decoded image to the network's input in evaluation: one definition, stored with every model. */
import { type Image, resample } from './image.ts';
import { type Kernel, resize } from './resize.ts';

/**
 * How one crop is chosen. `tf-slim`: the central share of each side, stretched to the size. `timm`: the image is resized
 * until its shorter side is the size divided by the share, then the centre is cut out.
 */
export type Protocol = 'tf-slim' | 'timm';

/** One value for each channel, in shares of 255. */
export type PerChannel = readonly [red: number, green: number, blue: number];

export interface Preprocessing {
  /** The network's input. */
  readonly size: readonly [height: number, width: number];
  /** Of the network's input: 3 is RGB, 1 is grey. Default 3. */
  readonly channels?: 1 | 3;
  readonly protocol: Protocol;
  /** Share of the image's sides that the central crop keeps; 1 is the whole image. */
  readonly crop: number;
  readonly kernel: Kernel;
  /** Pixels become (x / 255 − mean) / std, inside the network's program. */
  readonly mean: PerChannel;
  readonly std: PerChannel;
}

/** The share that TF-Slim's and most of timm's evaluations keep. */
export const centralCrop = 0.875;

/** The evaluation of a training's own: TF-Slim's single crop, and values in [−1, 1], but as told. */
export const standardPreprocessing = (
  size: Preprocessing['size'],
  differences: Partial<Preprocessing> = {},
): Preprocessing => ({
  size,
  protocol: 'tf-slim',
  crop: centralCrop,
  kernel: 'bilinear',
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
  ...differences,
});

/** The usual ways of others, by name: for models that do not say theirs. */
export const usualPreprocessings = {
  /** torchvision's reference, and most of timm's models. */
  imagenet: {
    protocol: 'timm',
    crop: centralCrop,
    kernel: 'pillow-bilinear',
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  },
  /** timm's Inception family. */
  inception: {
    protocol: 'timm',
    crop: centralCrop,
    kernel: 'pillow-bicubic',
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
  },
  /** TF-Slim's and Keras's. */
  'tf-slim': {
    protocol: 'tf-slim',
    crop: centralCrop,
    kernel: 'tf-bilinear',
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
  },
} as const satisfies Record<string, Omit<Preprocessing, 'size'>>;

export type UsualPreprocessing = keyof typeof usualPreprocessings;

/** Bytes of one input. */
export const inputBytes = ({ size, channels = 3 }: Preprocessing): number => size[0] * size[1] * channels;

/** Writes the single crop, [height, width, channels], to `target` from `offset`. */
export function preprocess(image: Image, how: Preprocessing, target: Uint8Array, offset = 0): void {
  writeInput(singleCrop(image, how), { channels: how.channels ?? 3, flip: false }, target, offset);
}

/** The single crop as an image of the network's size. */
export function singleCrop(image: Image, how: Preprocessing): Image {
  return how.protocol === 'timm' ? centreCut(image, how) : stretchedCentre(image, how);
}

/** Copies an image of the network's size into an input: mirrored, grey to RGB and RGB to grey as asked for. */
export function writeInput(
  { height, width, channels: own, data }: Image,
  { channels, flip }: { channels: 1 | 3; flip: boolean },
  target: Uint8Array,
  offset: number,
): void {
  if (own === channels && !flip) {
    target.set(data, offset);
    return;
  }
  for (let y = 0, at = offset; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + (flip ? width - 1 - x : x)) * own;
      if (channels === 1) target[at++] = own === 1 ? (data[from] as number) : luma(data, from);
      else
        for (let channel = 0; channel < 3; channel++)
          target[at++] = data[own === 1 ? from : from + channel] as number;
    }
  }
}

/** ITU-R 601, in Pillow's whole numbers. */
const luma = (data: Uint8Array, at: number): number =>
  ((data[at] as number) * 19595 +
    (data[at + 1] as number) * 38470 +
    (data[at + 2] as number) * 7471 +
    0x8000) >>
  16;

function stretchedCentre(image: Image, { size, crop, kernel }: Preprocessing): Image {
  if (kernel === 'bilinear') {
    const [height, width] = [image.height * crop, image.width * crop];
    const box = { top: (image.height - height) / 2, left: (image.width - width) / 2, height, width };
    const data = new Uint8Array(size[0] * size[1] * 3);
    resample(image, { box, size }, data);
    return { height: size[0], width: size[1], channels: 3, data };
  }
  // Whole pixels, as tf.image.central_crop takes them.
  const [top, left] = [image.height, image.width].map((side) => Math.floor((side - side * crop) / 2)) as [
    number,
    number,
  ];
  const part = { top, left, height: image.height - 2 * top, width: image.width - 2 * left };
  return resizeAny(cut(image, part), kernel, size);
}

function centreCut(image: Image, { size, crop, kernel }: Preprocessing): Image {
  const cover = size.map((side) => Math.floor(side / crop)) as [number, number];
  const whole = resizeToCover(image, cover, kernel);
  const [top, left] = [whole.height - size[0], whole.width - size[1]].map(halfToEven) as [number, number];
  return cut(whole, { top, left, height: size[0], width: size[1] });
}

/** Half of a number of pixels, rounded as Python's round(): torchvision's centre crop. */
function halfToEven(pixels: number): number {
  const half = Math.floor(pixels / 2);
  return pixels % 2 === 0 || half % 2 === 0 ? half : half + 1;
}

/** The smallest size of the image's own shape that covers `cover`: for squares, the shorter side becomes that side. */
export function coveringSize(
  { height, width }: Pick<Image, 'height' | 'width'>,
  cover: readonly [height: number, width: number],
): readonly [height: number, width: number] {
  // Whole numbers, rounded down, as torchvision's resize does.
  return height * cover[1] <= width * cover[0]
    ? [cover[0], Math.max(cover[1], Math.floor((cover[0] * width) / height))]
    : [Math.max(cover[0], Math.floor((cover[1] * height) / width)), cover[1]];
}

export const resizeToCover = (image: Image, cover: readonly [number, number], kernel: Kernel): Image =>
  resizeAny(image, kernel, coveringSize(image, cover));

/** Any kernel over a whole image. */
export function resizeAny(image: Image, kernel: Kernel, size: readonly [number, number]): Image {
  if (kernel !== 'bilinear') return resize(image, kernel, size);
  const data = new Uint8Array(size[0] * size[1] * 3);
  resample(image, { box: { top: 0, left: 0, height: image.height, width: image.width }, size }, data);
  return { height: size[0], width: size[1], channels: 3, data };
}

export interface Part {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** A part of an image, in whole pixels. */
export function cut({ width, channels, data }: Image, part: Part): Image {
  const rowLength = part.width * channels;
  const result = new Uint8Array(part.height * rowLength);
  for (let y = 0; y < part.height; y++) {
    const from = ((part.top + y) * width + part.left) * channels;
    result.set(data.subarray(from, from + rowLength), y * rowLength);
  }
  return { height: part.height, width: part.width, channels, data: result };
}

const kernelWords: Readonly<Record<Kernel, string>> = {
  bilinear: 'bilinear, half-pixel centres',
  'pillow-bilinear': "Pillow's bilinear",
  'pillow-bicubic': "Pillow's bicubic",
  'tf-bilinear': "TensorFlow 1's bilinear",
  'tf-bilinear-corners': "TensorFlow 1's bilinear, corners aligned",
};

/** The single crop in words, to be printed with every result. */
export const describeProtocol = (how: Preprocessing): string => `single crop, ${describeCrop(how)}`;

const describeCrop = (how: Preprocessing): string => {
  const { size, crop, kernel, protocol } = how;
  const target = `${size[0]}×${size[1]}`;
  const part = crop === 1 ? 'whole image' : `central ${+(crop * 100).toFixed(2)}%`;
  const cover = size.map((side) => Math.floor(side / crop));
  const way =
    protocol === 'tf-slim'
      ? `${part}, stretched to ${target}`
      : `${cover[0] === cover[1] ? `shorter side to ${cover[0]}` : `resized to cover ${cover.join('×')}`}, centre ${target}`;
  return `${way} (${kernelWords[kernel]}), ${describeScaling(how)}`;
};

export function describeScaling({ mean, std }: Preprocessing): string {
  if ([...mean, ...std].every((value) => value === 0.5)) return 'values in [−1, 1]';
  const words = (values: PerChannel) => [...new Set(values)].map((value) => +value.toFixed(4)).join(' ');
  return `values (x/255 − ${words(mean)}) / ${words(std)}`;
}

export const describeKernel = (kernel: Kernel): string => kernelWords[kernel];

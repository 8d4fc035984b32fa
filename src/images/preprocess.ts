/** Preprocessing for evaluation: from a decoded image to the network's input. One definition, stored with every model. */

import { InceptionError } from '../errors.ts';
import { coveringSize, resizeAny, writeInput } from './geometry.ts';
import { type Box, cropImage, type Image, type Part, resample } from './image.ts';
import type { ResamplingKernel } from './resize.ts';
import { roundHalfEven } from './round-half-even.ts';

/**
 * How the single crop is taken. `tf-slim`: the central fraction of each side, stretched to the input size. `timm`: the image is
 * resized so that its shorter side is the input size divided by the fraction, then the centre is cropped.
 */
export const protocols = ['tf-slim', 'timm'] as const;
export type Protocol = (typeof protocols)[number];

/** One value per channel, in units of 255. */
export type PerChannel = readonly [red: number, green: number, blue: number];

/** How an image becomes a network's input. */
export interface Preprocessing {
  /** The network's input size. */
  readonly size: readonly [height: number, width: number];
  /** Channels of the network's input: 3 is RGB, 1 is grey; images have no other number. Default 3. */
  readonly channels?: number;
  readonly protocol: Protocol;
  /** Fraction of each side that the central crop keeps; 1 is the whole image. */
  readonly crop: number;
  readonly kernel: ResamplingKernel;
  /**
   * Pixels become (x / 255 − mean) / std, as part of the network's program. For more than three channels the three values repeat,
   * as the weights of an adapted first convolution do.
   */
  readonly mean: PerChannel;
  readonly std: PerChannel;
}

/** The fraction that TF-Slim's and most of timm's evaluations keep. */
export const centralCrop = 0.875;

/** Default preprocessing for evaluation during training (TF-Slim's single crop, values in [−1, 1]), with overrides. */
export const standardPreprocessing = (
  size: Preprocessing['size'],
  overrides: Partial<Preprocessing> = {},
): Preprocessing => ({
  size,
  protocol: 'tf-slim',
  crop: centralCrop,
  kernel: 'bilinear',
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
  ...overrides,
});

/** Named preprocessing presets, for models that do not specify theirs. */
export const preprocessingPresets = {
  /** torchvision's reference and most of timm's models. */
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
  /** Keras: `load_img(target_size=…)` with its default interpolation, then `preprocess_input` of its Inceptions. */
  keras: {
    protocol: 'tf-slim',
    crop: 1,
    kernel: 'pillow-nearest',
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
  },
  /** TF-Slim. */
  'tf-slim': {
    protocol: 'tf-slim',
    crop: centralCrop,
    kernel: 'tf-bilinear',
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
  },
} as const satisfies Record<string, Omit<Preprocessing, 'size'>>;

/** Names of usual preprocessings. */
export type PreprocessingPreset = keyof typeof preprocessingPresets;

/** Bytes of one input image. */
export const inputBytes = ({ size, channels = 3 }: Preprocessing): number => size[0] * size[1] * channels;

/** A network whose input no image has. */
export class ChannelsError extends InceptionError {
  override name = 'ChannelsError';
}

/** The channels that images are given. @throws ChannelsError for a network of other channels than images have. */
export function imageChannels({ channels = 3, size }: Preprocessing): 1 | 3 {
  if (channels === 1 || channels === 3) return channels;
  throw new ChannelsError(
    `the network takes ${channels} channels, and images have 3 or 1; its input, bytes [n, ${[...size, channels].join(', ')}], can be given to a predictor ('outputs' of the library, 'infer' of the server)`,
  );
}

/** Writes the single crop, [height, width, channels], into `target` at `offset`. */
export function preprocess(image: Image, preprocessing: Preprocessing, target: Uint8Array, offset = 0): void {
  writeInput(
    singleCrop(image, preprocessing),
    { channels: imageChannels(preprocessing), flip: false },
    target,
    offset,
  );
}

/** The single crop as an image of the input size. */
export function singleCrop(image: Image, preprocessing: Preprocessing): Image {
  return preprocessing.protocol === 'timm'
    ? centreCrop(image, preprocessing)
    : stretchedCentre(image, preprocessing);
}

/** The part of an image that its single crop shows, in pixels of the image. */
export function seenBox(image: Sides, preprocessing: Preprocessing): Box {
  if (preprocessing.protocol === 'tf-slim') return stretchedBox(image, preprocessing);
  const { whole, part } = coveredPart(image, preprocessing);
  const [vertical, horizontal] = [image.height / whole[0], image.width / whole[1]];
  return {
    top: part.top * vertical,
    left: part.left * horizontal,
    height: part.height * vertical,
    width: part.width * horizontal,
  };
}

type Sides = Pick<Image, 'height' | 'width'>;

function stretchedBox(image: Sides, { crop, kernel }: Preprocessing): Box {
  if (kernel === 'bilinear') {
    const [height, width] = [image.height * crop, image.width * crop];
    return { top: (image.height - height) / 2, left: (image.width - width) / 2, height, width };
  }
  // Whole pixels, like tf.image.central_crop.
  const [top, left] = [image.height, image.width].map((side) => Math.floor((side - side * crop) / 2)) as [
    number,
    number,
  ];
  return { top, left, height: image.height - 2 * top, width: image.width - 2 * left };
}

function stretchedCentre(image: Image, preprocessing: Preprocessing): Image {
  const { size, kernel } = preprocessing;
  const box = stretchedBox(image, preprocessing);
  if (kernel !== 'bilinear') return resizeAny(cropImage(image, box), kernel, { size });
  const data = new Uint8Array(size[0] * size[1] * 3);
  resample(image, { box, size }, data);
  return { height: size[0], width: size[1], channels: 3, data };
}

/** The size that the whole image is resized to, and the part of it that is kept. */
function coveredPart(
  image: Sides,
  { size, crop }: Preprocessing,
): { readonly whole: readonly [height: number, width: number]; readonly part: Part } {
  const cover = size.map((side) => Math.floor(side / crop)) as [number, number];
  const whole = coveringSize(image, cover);
  // As torchvision's centre crop.
  const [top, left] = [roundHalfEven((whole[0] - size[0]) / 2), roundHalfEven((whole[1] - size[1]) / 2)];
  return { whole, part: { top, left, height: size[0], width: size[1] } };
}

function centreCrop(image: Image, preprocessing: Preprocessing): Image {
  const { whole, part } = coveredPart(image, preprocessing);
  // Only what the crop keeps is computed: the whole of a very long image may be a thousand times larger.
  return resizeAny(image, preprocessing.kernel, { size: whole, part });
}

const kernelDescriptions: Readonly<Record<ResamplingKernel, string>> = {
  bilinear: 'bilinear, half-pixel centres',
  'pillow-nearest': "Pillow's nearest",
  'pillow-box': "Pillow's box",
  'pillow-bilinear': "Pillow's bilinear",
  'pillow-hamming': "Pillow's Hamming",
  'pillow-bicubic': "Pillow's bicubic",
  'pillow-lanczos': "Pillow's Lanczos",
  'tf-bilinear': "TensorFlow 1's bilinear",
  'tf-bilinear-corners': "TensorFlow 1's bilinear, corners aligned",
};

/** Describes the single crop in words, to be printed with every result. */
export const describeProtocol = (preprocessing: Preprocessing): string =>
  `single crop, ${describeCrop(preprocessing)}`;

const describeCrop = (preprocessing: Preprocessing): string => {
  const { size, crop, kernel, protocol } = preprocessing;
  const target = `${size[0]}×${size[1]}`;
  const part = crop === 1 ? 'whole image' : `central ${+(crop * 100).toFixed(2)}%`;
  const cover = size.map((side) => Math.floor(side / crop));
  const method =
    protocol === 'tf-slim'
      ? `${part}, stretched to ${target}`
      : `${cover[0] === cover[1] ? `shorter side to ${cover[0]}` : `resized to cover ${cover.join('×')}`}, centre ${target}`;
  return `${method} (${kernelDescriptions[kernel]}), ${describeScaling(preprocessing)}`;
};

export function describeScaling({ mean, std }: Preprocessing): string {
  if ([...mean, ...std].every((value) => value === 0.5)) return 'values in [−1, 1]';
  const format = (values: PerChannel) => [...new Set(values)].map((value) => +value.toFixed(4)).join(' ');
  return `values (x/255 − ${format(mean)}) / ${format(std)}`;
}

export const describeKernel = (kernel: ResamplingKernel): string => kernelDescriptions[kernel];

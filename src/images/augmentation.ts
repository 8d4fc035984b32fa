/** The random augmentation of training images: its options, each declared once, and the values of the recipes. */
import {
  booleanOption,
  inRange,
  numberOption,
  numberOrOffOption,
  type Option,
  type OptionValues,
  type OptionWords,
} from '../option.ts';

const fraction = { atLeast: 0, atMost: 1 };

/** Every option of the augmentation. A new one is an entry here; the compiler names what has to apply it and the recipes. */
export const augmentationOptions = {
  /** Fraction of the image's area that a random crop keeps, [min, max]; null keeps the whole image. */
  area: areaOption({
    flag: '--crop-area <minimum>',
    about: 'minimum fraction of the area kept by random crops; 1 turns them off',
    label: 'Crop area',
  }),
  /** Aspect ratio (width / height) of the crop, [min, max]. */
  aspect: pairOption({
    flag: '--crop-aspect <min,max>',
    about: 'range of the aspect ratio of random crops',
    label: 'Crop aspect ratio',
  }),
  /** Shifts the image by up to this many pixels in each direction, filling with black. */
  shift: numberOption({
    whole: true,
    atLeast: 0,
    atMost: 4096,
    flag: '--shift <pixels>',
    about: 'maximum random shift in pixels of the image',
    label: 'Shift (pixels)',
  }),
  /** Mirrors half of the images. */
  flip: booleanOption({ flag: '--[no-]flip', about: 'mirror images at random', label: 'Flip' }),
  /** Brightness ±32/255, contrast and saturation 0.5–1.5, hue ±0.2 of a full turn. */
  colour: booleanOption({
    flag: '--[no-]colour',
    about: 'random brightness, contrast, saturation and hue',
    label: 'Colour',
  }),
  /** Probability of covering a rectangle of 2–20% of the area with noise (random erasing, arXiv 1708.04896). */
  erase: numberOption({
    ...fraction,
    flag: '--erase <probability>',
    about: 'probability of random erasing',
    label: 'Erase',
  }),
  /** Turns half of the images upside down. */
  verticalFlip: booleanOption({
    flag: '--[no-]vertical-flip',
    about: 'turn images upside down at random',
    label: 'Vertical flip',
  }),
  /** Rotates by up to this many degrees in either direction, filling with black. */
  rotation: numberOption({
    atLeast: 0,
    atMost: 180,
    flag: '--rotation <degrees>',
    about: 'maximum random rotation in degrees, either way',
    label: 'Rotation (degrees)',
  }),
  /** One operation of TrivialAugment's wide space, of random strength; instead of `colour`, unless that is given as well. */
  trivialAugment: booleanOption({
    flag: '--[no-]trivial-augment',
    about: 'one random operation of random strength for each image (TrivialAugment); turns --colour off',
    label: 'TrivialAugment',
  }),
  /** Two operations of RandAugment's space, of this strength; instead of `colour`, unless that is given as well. */
  randAugment: numberOrOffOption({
    whole: true,
    atLeast: 0,
    atMost: 30,
    flag: '--rand-augment <strength>',
    about:
      "two random operations of this strength for each image (RandAugment; its authors' usual is 9); turns --colour off",
    label: 'RandAugment',
  }),
  /** Parameter of the Beta distribution of the shares in which two images are mixed; 0 mixes none (mixup, arXiv 1710.09412). */
  mixup: numberOption({
    atLeast: 0,
    atMost: 100,
    flag: '--mixup <alpha>',
    about: 'mix every image with another one, in proportions from Beta(alpha, alpha); 0 to disable',
    label: 'Mixup',
  }),
  /** The same for a rectangle that is cut out of another image (CutMix, arXiv 1905.04899); with mixup, each for half of the images. */
  cutMix: numberOption({
    atLeast: 0,
    atMost: 100,
    flag: '--cutmix <alpha>',
    about:
      'paste a rectangle of another image into every image, its area from Beta(alpha, alpha); 0 to disable',
    label: 'CutMix',
  }),
};

/** The random changes of training images. */
export type Augmentation = OptionValues<typeof augmentationOptions>;

/** What recipes do not use. */
export const unusedAugmentation = {
  verticalFlip: false,
  rotation: 0,
  trivialAugment: false,
  randAugment: null,
  mixup: 0,
  cutMix: 0,
} as const satisfies Partial<Augmentation>;

/** The paper's augmentation, with the crops of arXiv 1409.4842. */
export const paperAugmentation: Augmentation = {
  ...unusedAugmentation,
  area: [0.08, 1],
  aspect: [3 / 4, 4 / 3],
  shift: 0,
  flip: true,
  colour: true,
  erase: 0,
};

/** For small images of centred objects. */
export const mildAugmentation: Augmentation = {
  ...unusedAugmentation,
  area: null,
  aspect: [1, 1],
  shift: 2,
  flip: true,
  colour: false,
  erase: 0,
};

/** For trained weights and few images: crops that keep most of the object, mirrored, in their own colours. */
export const fineTuneAugmentation: Augmentation = {
  ...paperAugmentation,
  area: [0.35, 1],
  colour: false,
};

type Pair = readonly [minimum: number, maximum: number];

function isPair(value: unknown): value is Pair {
  if (!Array.isArray(value) || value.length !== 2) return false;
  return (
    value.every((end) => inRange(end, { above: 0, atMost: 1000 })) && Number(value[0]) <= Number(value[1])
  );
}

function pairOption(words: OptionWords): Option<Pair> {
  const expected = 'a minimum and a maximum above 0 and at most 1000';
  return {
    ...words,
    control: { kind: 'text' },
    expected: `${expected}, as [0.75, 1.33]`,
    written: `${expected}, as 0.75,1.33`,
    accepts: isPair,
    parse: (text) => text.split(',').map(Number),
    format: (pair) => pair.map((end) => +end.toFixed(3)).join(','),
  };
}

function areaOption(words: OptionWords): Option<Pair | null> {
  return {
    ...words,
    control: { kind: 'text' },
    expected: 'fractions of the area, as [0.08, 1], or null',
    written: 'a number above 0 and at most 1',
    accepts: (value): value is Pair | null => value === null || (isPair(value) && value[1] <= 1),
    parse(text) {
      const minimum = Number(text);
      return minimum === 1 ? null : [minimum, 1];
    },
    format: (area) => String(area === null ? 1 : area[0]),
  };
}

/** The random augmentation of training images: its options, each declared once, and the values of the recipes. */
import {
  booleanOption,
  inRange,
  numberOption,
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
};

/** The random changes of training images. */
export type Augmentation = OptionValues<typeof augmentationOptions>;

/** The paper's augmentation, with the crops of arXiv 1409.4842. */
export const paperAugmentation: Augmentation = {
  area: [0.08, 1],
  aspect: [3 / 4, 4 / 3],
  shift: 0,
  flip: true,
  colour: true,
  erase: 0,
};

/** For small images of centred objects. */
export const mildAugmentation: Augmentation = {
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

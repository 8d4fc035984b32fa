/** The options that transform any network, each declared once. `configure` applies them. */
import { UsageError } from '../errors.ts';
import {
  booleanOption,
  checkOptions,
  choiceOption,
  inRange,
  numberOption,
  type Option,
  type OptionValues,
  type OptionWords,
  parseNumber,
  type Range,
} from '../option.ts';
import type { Stage } from './notation.ts';

export const stages: readonly Stage[] = ['A', 'B', 'C'];
export type PerStage = Readonly<Partial<Record<Stage, number>>>;

const above0: Range = { above: 0 };
/** Upper bounds are far above any use: beyond them, an option is a mistake or a hostile file, and memory would run out. */
const count = (atMost: number): Range => ({ whole: true, atLeast: 1, atMost });
/** Of an input, in pixels. */
export const maxSide = 4096;

/** Every network option. To add one, add an entry; the type checker then points to the two places that must implement it. */
export const networkOptions = {
  /** Outputs of the classifier. Default 1000; 0 leaves the classifier out, as timm's `num_classes=0`. */
  classes: numberOption({
    whole: true,
    atLeast: 0,
    atMost: 1_000_000,
    expected: 'a whole number of at most 1000000, 0 for no classifier',
    flag: '--classes <n>',
    about: 'number of classes; 0 removes the classifier',
    label: 'Classes',
    default: '1000',
  }),
  /** Side of the square input, or [height, width], in pixels. Default: the network's own, 299 for most. */
  inputSize: sizeOption({
    flag: '--input-size <pixels>',
    about: 'input resolution, as 299 or HEIGHTxWIDTH',
    label: 'Input size (pixels)',
    default: 'per network, usually 299',
  }),
  /** Multiplies every filter count, rounded to a multiple of 8 and never under 8. Default 1. */
  width: numberOption({
    ...above0,
    atMost: 64,
    step: 0.125,
    slider: [0.125, 2],
    flag: '--width <factor>',
    about: 'multiply filter counts, rounded to multiples of 8',
    label: 'Width',
    default: '1',
  }),
  /** Number of A, B and C blocks; stages left out stay as drawn. */
  blocks: perStageOption({
    range: count(1000),
    expected: 'counts of 1 to 1000 for A, B or C, as { A: 5, B: 10, C: 5 }',
    written: 'counts of 1 to 1000 for A, B and C, as 5,10,5 or 5,,5',
    flag: '--blocks <a,b,c>',
    about: 'number of A, B and C blocks',
    label: 'Blocks',
    default: 'per network',
  }),
  /** Factor for residuals before the addition: off (1), one number, or one per stage. */
  residualScale: residualScaleOption({
    flag: '--residual-scale <scale>',
    about: "scale of residuals before the addition: 'off', one number, or A,B,C",
    label: 'Residual scale',
    default: 'per network, usually 0.17,0.1,0.2',
  }),
  /**
   * Whether residual blocks add their input. Without, a block is its branches alone, at the same cost: what shortcuts do is the
   * difference. Default true.
   */
  shortcuts: booleanOption({
    flag: '--no-shortcuts',
    about: 'residual blocks without the addition of their input: the control of an experiment',
    label: 'Shortcuts',
  }),
  /** Residual sums that batch normalisation follows: none, as in the paper, that before the average pooling, or all. Default none. */
  sumNorm: choiceOption({
    choices: ['none', 'last', 'all'],
    flag: '--sum-norm <none|last|all>',
    about: 'batch normalisation on residual sums: on none, on the last one, or on all',
    label: 'Batch norm on sums',
    default: 'none',
  }),
  /** Adds the auxiliary classifier, which only training uses. Default false. */
  auxiliary: booleanOption({
    flag: '--auxiliary',
    about: 'add the auxiliary classifier, used only in training',
    label: 'Auxiliary classifier',
  }),
  /** Probability that dropout keeps a value; 1 turns dropout off. Default 0.8. */
  dropoutKeep: numberOption({
    ...above0,
    atMost: 1,
    step: 0.05,
    flag: '--dropout-keep <probability>',
    about: 'probability that dropout keeps a value; 1 turns it off',
    label: 'Dropout keeps',
    default: 'per network, usually 0.8',
  }),
  /** Channels of the input: 3 is RGB, 1 is grey. Default 3. */
  inputChannels: numberOption({
    ...count(1024),
    flag: '--input-channels <n>',
    about: 'input channels: 3 for RGB, 1 for greyscale',
    label: 'Input channels',
    default: '3',
  }),
  /** Width of the embedding, in the network that has one. Default 512. */
  embedding: numberOption({
    ...count(100_000),
    flag: '--embedding <n>',
    about: 'width of the embedding, in networks that have one',
    label: 'Embedding',
    default: '512',
  }),
  /**
   * Units of the fully connected layers, each with a ReLU, between the features and the classifier: they are part of the classifier.
   * Default none.
   */
  hidden: countsOption({
    range: count(100_000),
    atMost: 8,
    flag: '--hidden <units>',
    about: 'hidden layers of the classifier, fully connected with ReLU, as 256,128; none for none',
    label: 'Hidden layers of the classifier',
    default: 'none',
  }),
  /** Whether batch normalisation multiplies by a learned gamma; TF-Slim's and Keras's do not. Default true. */
  gamma: booleanOption({
    flag: '--no-gamma',
    about: 'batch normalisation without a learned scale, as in TF-Slim and Keras',
    label: 'Batch norm with gamma',
  }),
  /**
   * Whether average pooling counts its padding. TensorFlow never does; the Inception-v3 of torchvision and timm does.
   * Default false.
   */
  countPadding: booleanOption({
    flag: '--count-padding',
    about: "average pooling counts its padding, as in torchvision's Inception-v3",
    label: 'Average pooling counts padding',
  }),
};

type Values = OptionValues<typeof networkOptions>;
export type NetworkOptionName = keyof Values;
/** The options of a network, as declared by `networkOptions`. */
export type NetworkOptions = Partial<Values>;

export const networkOptionNames = Object.keys(networkOptions) as NetworkOptionName[];

/** A network or option that does not exist or cannot be applied. */
export class NetworkOptionError extends UsageError {
  override name = 'NetworkOptionError';
}

/** @throws NetworkOptionError naming the option, the expected and the received value. */
export const checkNetworkOptions = (options: NetworkOptions): void =>
  checkOptions(networkOptions, options, { what: 'network option', Failure: NetworkOptionError });

type Size = number | readonly [height: number, width: number];

function sizeOption(words: OptionWords): Option<Size> {
  return {
    ...words,
    control: { kind: 'size' },
    expected: `a whole number of pixels of at most ${maxSide}, or [height, width]`,
    written: 'pixels, as 299 or 299x224',
    accepts: (value): value is Size =>
      inRange(value, count(maxSide)) ||
      (Array.isArray(value) && value.length === 2 && value.every((side) => inRange(side, count(maxSide)))),
    parse(text) {
      const sides = text.split('x').map(parseNumber);
      return sides.length === 2 ? sides : parseNumber(text);
    },
    format: (size) => (typeof size === 'number' ? String(size) : size.join('x')),
  };
}

/** A list of counts: `256,128`, or `none`. */
function countsOption({
  range,
  atMost,
  ...words
}: OptionWords & { readonly range: Range; readonly atMost: number }): Option<readonly number[]> {
  const counts = `at most ${atMost} whole numbers from ${range.atLeast} to ${range.atMost}`;
  return {
    ...words,
    control: { kind: 'text' },
    expected: `a list of ${counts}`,
    written: `${counts}, as 256,128, or none`,
    accepts: (value): value is readonly number[] =>
      Array.isArray(value) && value.length <= atMost && value.every((entry) => inRange(entry, range)),
    parse: (text) => (text === 'none' ? [] : text.split(',').map(parseNumber)),
    format: (values) => (values.length === 0 ? 'none' : values.join(',')),
  };
}

interface PerStageWords extends OptionWords {
  readonly range: Range;
  readonly expected: string;
  readonly written: string;
}

function perStageOption({ range, ...words }: PerStageWords): Option<PerStage> {
  return {
    ...words,
    control: { kind: 'stages', step: range.whole ? 1 : 0.01, words: [] },
    accepts: (value): value is PerStage => isPerStage(value, range),
    parse: parseStages,
    format: formatStages,
  };
}

function residualScaleOption(words: OptionWords): Option<'off' | number | PerStage> {
  return {
    ...words,
    control: { kind: 'stages', step: 0.01, words: ['off'] },
    expected: "'off', a number above 0, or one for A, B or C",
    written: "'off', a number above 0, or three for A, B and C, as 0.17,0.1,0.2",
    accepts: (value): value is 'off' | number | PerStage =>
      value === 'off' || inRange(value, above0) || isPerStage(value, above0),
    parse: (text) => (text.includes(',') ? parseStages(text) : parseNumber(text)),
    format: (scale) => (typeof scale === 'object' ? formatStages(scale) : String(scale)),
  };
}

const isPerStage = (value: unknown, range: Range): value is PerStage =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(value).every(
    ([stage, entry]) => stages.some((valid) => valid === stage) && inRange(entry, range),
  );

function formatStages(values: PerStage): string {
  return stages.map((stage) => values[stage] ?? '').join(',');
}

/** `4,,3` are 4 for A and 3 for C. */
function parseStages(text: string): unknown {
  const parts = text.split(',');
  if (parts.length !== stages.length || parts.every((part) => part === '')) return text;
  return Object.fromEntries(
    stages.flatMap((stage, index) => {
      const part = parts[index] ?? '';
      return part === '' ? [] : [[stage, parseNumber(part)] as const];
    }),
  );
}

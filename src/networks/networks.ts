/** Every network by name, and the options that transform any of them. */
import { UsageError } from '../errors.ts';
import { inceptionResnetV1 } from './inception-resnet-v1.ts';
import { inceptionResnetV1Facenet } from './inception-resnet-v1-facenet.ts';
import { inceptionResnetV2 } from './inception-resnet-v2.ts';
import { inceptionResnetV2Released } from './inception-resnet-v2-released.ts';
import { inceptionV3 } from './inception-v3.ts';
import { inceptionV4 } from './inception-v4.ts';
import type { Auxiliary, Branch, Layer, Layers, Network, Stage } from './notation.ts';

export type { Stage } from './notation.ts';

export const networks: readonly Network[] = [
  inceptionV3,
  inceptionV4,
  inceptionResnetV1,
  inceptionResnetV2,
  inceptionResnetV2Released,
  inceptionResnetV1Facenet,
];

export interface NetworkOptions {
  /** Outputs of the classifier. Default 1000; 0 leaves the classifier out, as timm's `num_classes=0`. */
  readonly classes?: number;
  /** Side of the square input, or [height, width], in pixels. Default: the network's own, 299 for most. */
  readonly inputSize?: number | readonly [height: number, width: number];
  /** Multiplies every filter count, rounded to a multiple of 8 and never under 8. Default 1. */
  readonly width?: number;
  /** How often the A, B and C blocks are repeated; stages left out stay as drawn. */
  readonly blocks?: Readonly<Partial<Record<Stage, number>>>;
  /** What residuals are multiplied by before the addition: off (1), one number, or one for each stage. */
  readonly residualScale?: 'off' | number | Readonly<Partial<Record<Stage, number>>>;
  /** Adds the auxiliary classifier, which only training uses. Default false. */
  readonly auxiliary?: boolean;
  /** Probability that dropout keeps a value; 1 turns dropout off. Default 0.8. */
  readonly dropoutKeep?: number;
  /** Channels of the input: 3 is RGB, 1 is grey. Default 3. */
  readonly inputChannels?: number;
  /** Width of the embedding, in the network that has one. Default 512. */
  readonly embedding?: number;
  /** Whether batch normalisation multiplies by a learned gamma; TF-Slim's and Keras's do not. Default true. */
  readonly gamma?: boolean;
  /**
   * Whether average pooling counts its padding. TensorFlow never does; the Inception-v3 of torchvision and timm does.
   * Default false.
   */
  readonly countPadding?: boolean;
}

/** A network with its options applied; `auxiliary` says whether the head is part of it. */
export interface ConfiguredNetwork extends Omit<Network, 'auxiliary'> {
  readonly auxiliary: Auxiliary | undefined;
  readonly gamma: boolean;
  readonly countPadding: boolean;
}

/** A network or option that does not exist or cannot be applied. */
export class NetworkOptionError extends UsageError {
  override name = 'NetworkOptionError';
}

/** Looks a network up by its name. @throws NetworkOptionError listing the names that exist. */
export function findNetwork(name: string): Network {
  const found = networks.find((network) => network.name === name);
  if (found) return found;
  const names = networks.map((network) => network.name).join(', ');
  throw new NetworkOptionError(`no network is called '${name}'; there are ${names}`);
}

/** Applies the options to a network's figures. @throws NetworkOptionError naming the option, what it takes and what came. */
export function configure(network: Network, options: NetworkOptions = {}): ConfiguredNetwork {
  checkOptions(options);
  const { classes = network.classes, inputSize, width = 1, auxiliary = false } = options;
  const { inputChannels = network.input[2], gamma = true, countPadding = false } = options;
  if (classes === 0 && auxiliary)
    throw new NetworkOptionError(
      'an auxiliary classifier needs classes; received classes: 0, auxiliary: true',
    );
  const [height, columns] =
    inputSize === undefined
      ? network.input
      : typeof inputSize === 'number'
        ? [inputSize, inputSize]
        : inputSize;
  const layers = Object.fromEntries(
    Object.entries(network.layers)
      .filter(([, { kind }]) => classes > 0 || (kind !== 'fullyConnected' && kind !== 'dropout'))
      .map(([key, layer]) => [key, transform(layer, { stage: stageOf(network, key), options, width })]),
  );
  if (options.embedding !== undefined && !Object.values(layers).some(({ kind }) => kind === 'embedding'))
    throw new NetworkOptionError(
      `${network.name} has no embedding whose width could be ${options.embedding}`,
    );
  for (const option of ['blocks', 'residualScale'] as const) refuseStages(network, option, options[option]);
  const head = network.auxiliary;
  if (auxiliary && !head) throw new NetworkOptionError(`${network.name} has no auxiliary classifier`);
  return {
    ...network,
    input: [height, columns, inputChannels],
    classes,
    layers,
    gamma,
    countPadding,
    auxiliary: auxiliary && head ? { ...head, layers: widen(head.layers, { options, width }) } : undefined,
  };
}

/** Stage A, B or C of a network's layer, or undefined for the layers between the stages. */
export const stageOf = ({ stages = {} }: Pick<Network, 'stages'>, key: string): Stage | undefined =>
  (Object.keys(stages) as Stage[]).find((stage) => stages[stage] === key);

/** Whoever sets a stage that a network has not would wait for its effect. */
function refuseStages(
  { name, stages = {} }: Network,
  option: 'blocks' | 'residualScale',
  value: NetworkOptions['residualScale'],
): void {
  if (typeof value !== 'object') return;
  const missing = (Object.keys(value) as Stage[]).find(
    (stage) => value[stage] !== undefined && !stages[stage],
  );
  if (missing === undefined) return;
  const known = Object.keys(stages).join(', ');
  throw new NetworkOptionError(
    `network option '${option}': ${name} has no stage ${missing}; ${known === '' ? 'it has none' : `there are ${known}`}`,
  );
}

interface Transformation {
  readonly stage?: Stage | undefined;
  readonly options: NetworkOptions;
  readonly width: number;
}

const widen = (layers: Layers, how: Transformation): Layers =>
  Object.fromEntries(Object.entries(layers).map(([key, layer]) => [key, transform(layer, how)]));

function transform(layer: Layer, how: Transformation): Layer {
  const inside = (branches: readonly Branch[]) =>
    branches.map((branch) => branch.map((each) => transform(each, how)));
  switch (layer.kind) {
    case 'conv':
      return { ...layer, filters: scaledFilters(layer.filters, how.width) };
    case 'filterConcat':
      return { ...layer, branches: inside(layer.branches) };
    case 'residual':
      return { ...layer, scale: residualScale(layer.scale, how), branches: inside(layer.branches) };
    case 'sequence':
      return { ...layer, layers: layer.layers.map((each) => transform(each, how)) };
    case 'repeat':
      return {
        ...layer,
        count: (how.stage && how.options.blocks?.[how.stage]) ?? layer.count,
        block: transform(layer.block, how),
        ...(layer.first && { first: transform(layer.first, how) }),
        ...(layer.last && { last: transform(layer.last, how) }),
      };
    case 'dropout':
      return { ...layer, keep: how.options.dropoutKeep ?? layer.keep };
    case 'embedding':
      return { ...layer, features: how.options.embedding ?? layer.features };
    default:
      return layer;
  }
}

const scaledFilters = (filters: number, width: number): number =>
  width === 1 ? filters : Math.max(8, Math.round((filters * width) / 8) * 8);

function residualScale(drawn: number, { stage, options }: Transformation): number {
  const { residualScale: given } = options;
  // The released network's last block adds its residual unscaled, whatever the others do.
  if (given === undefined || drawn === 1) return drawn;
  if (given === 'off') return 1;
  if (typeof given === 'number') return given;
  return (stage && given[stage]) ?? drawn;
}

const positiveInteger = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 1;
const positive = (value: unknown) => typeof value === 'number' && Number.isFinite(value) && value > 0;
const stages = (value: object, check: (entry: unknown) => boolean) =>
  Object.entries(value).every(([stage, entry]) => ['A', 'B', 'C'].includes(stage) && check(entry));

/** What each option takes, in words, and the check of it. */
const optionRules: {
  readonly [K in keyof Required<NetworkOptions>]: readonly [string, (value: unknown) => boolean];
} = {
  classes: ['a whole number, 0 for no classifier', (value) => value === 0 || positiveInteger(value)],
  inputSize: [
    'a whole number of pixels, or [height, width]',
    (value) =>
      positiveInteger(value) || (Array.isArray(value) && value.length === 2 && value.every(positiveInteger)),
  ],
  width: ['a number above 0', positive],
  blocks: [
    'counts of at least 1 for A, B or C, as { A: 5, B: 10, C: 5 }',
    (value) => typeof value === 'object' && value !== null && stages(value, positiveInteger),
  ],
  residualScale: [
    "'off', a number above 0, or one for A, B or C",
    (value) =>
      value === 'off' ||
      positive(value) ||
      (typeof value === 'object' && value !== null && stages(value, positive)),
  ],
  auxiliary: ['true or false', (value) => typeof value === 'boolean'],
  dropoutKeep: ['a number above 0 and at most 1', (value) => positive(value) && (value as number) <= 1],
  inputChannels: ['a whole number of at least 1', positiveInteger],
  embedding: ['a whole number of at least 1', positiveInteger],
  gamma: ['true or false', (value) => typeof value === 'boolean'],
  countPadding: ['true or false', (value) => typeof value === 'boolean'],
};

function checkOptions(options: NetworkOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const rule = optionRules[name as keyof NetworkOptions];
    if (!rule) {
      throw new NetworkOptionError(
        `unknown network option '${name}'; there are ${Object.keys(optionRules).join(', ')}`,
      );
    }
    const [expected, accepts] = rule;
    if (!accepts(value)) {
      throw new NetworkOptionError(
        `network option '${name}': expected ${expected}; received ${JSON.stringify(value)}`,
      );
    }
  }
}

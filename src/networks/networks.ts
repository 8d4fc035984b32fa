/** Every network by name, including registered ones, and the options that transform any of them. */
import { nothingLeft } from '../option.ts';
import { checkNetwork, NetworkError } from './check-network.ts';
import { inceptionResnetV1 } from './figures/inception-resnet-v1.ts';
import { inceptionResnetV1Facenet } from './figures/inception-resnet-v1-facenet.ts';
import { inceptionResnetV2 } from './figures/inception-resnet-v2.ts';
import { inceptionResnetV2Released } from './figures/inception-resnet-v2-released.ts';
import { inceptionV3 } from './figures/inception-v3.ts';
import { inceptionV4 } from './figures/inception-v4.ts';
import { checkNetworkOptions, NetworkOptionError, type NetworkOptions } from './network-options.ts';
import {
  type Auxiliary,
  type Branch,
  blockAt,
  dense,
  type Layer,
  type Layers,
  layersIn,
  type Network,
  type Stage,
  sequence,
} from './notation.ts';

export { NetworkOptionError, type NetworkOptions } from './network-options.ts';
export type { Stage } from './notation.ts';

/** The package's networks. */
export const networks: readonly Network[] = [
  inceptionV3,
  inceptionV4,
  inceptionResnetV1,
  inceptionResnetV2,
  inceptionResnetV2Released,
  inceptionResnetV1Facenet,
];

/** A network with its options applied; `auxiliary` is undefined without the auxiliary head. */
export interface ConfiguredNetwork extends Omit<Network, 'auxiliary'> {
  readonly auxiliary: Auxiliary | undefined;
  readonly gamma: boolean;
  readonly countPadding: boolean;
}

const registered = new Map<string, Network>();

/** The package's networks and the registered ones. */
export const knownNetworks = (): readonly Network[] => [...networks, ...registered.values()];

/**
 * Registers a custom network under its name, for everything that takes a network's name. Its saved models contain its figure,
 * so they open where it is not registered.
 * @throws NetworkError if it is malformed, or if another network has its name.
 */
export function registerNetwork(network: Network): Network {
  checkNetwork(network);
  const { name } = network;
  const existing = knownNetworks().find((candidate) => candidate.name === name);
  if (existing && JSON.stringify(existing) !== JSON.stringify(network)) {
    throw new NetworkError(`another network is already called '${name}'; choose a different name`);
  }
  if (!existing) registered.set(name, network);
  return network;
}

/** The figure of a registered network, which cannot be looked up by name elsewhere. */
export const registeredNetwork = (name: string): Network | undefined => registered.get(name);

/** Looks a network up by its name. @throws NetworkOptionError listing the names that exist. */
export function findNetwork(name: string): Network {
  const result = knownNetworks().find((network) => network.name === name);
  if (result) return result;
  const names = knownNetworks().map((network) => network.name);
  throw new NetworkOptionError(`no network is called '${name}'; there are ${names.join(', ')}`);
}

/** Applies the options to a network's figures. @throws NetworkOptionError naming the option, the expected and the received value. */
export function configure(network: Network, options: NetworkOptions = {}): ConfiguredNetwork {
  checkNetworkOptions(options);
  const { classes = network.classes, inputSize, auxiliary = false, ...others } = options;
  const { inputChannels = network.input[2], gamma = true, countPadding = false, ...layerOptions } = others;
  const {
    width = 1,
    blocks,
    residualScale,
    shortcuts = true,
    sumNorm = 'none',
    dropoutKeep,
    embedding,
    hidden = [],
    ...unapplied
  } = layerOptions;
  const transformation = {
    ...{ width, blocks, residualScale, shortcuts, sumNorm, dropoutKeep, embedding },
    ...nothingLeft(unapplied),
  };
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
  const figure = classes > 0 ? withHidden(network, hidden) : network.layers;
  const transformed = Object.entries(figure)
    .filter(([, { kind }]) => classes > 0 || (kind !== 'fullyConnected' && kind !== 'dropout'))
    .map(
      ([key, layer]) => [key, transform(layer, { ...transformation, stage: stageOf(network, key) })] as const,
    );
  const layers: Layers = Object.fromEntries(sumNorm === 'last' ? normaliseLastSum(transformed) : transformed);
  if (embedding !== undefined && !Object.values(layers).some(({ kind }) => kind === 'embedding'))
    throw new NetworkOptionError(`${network.name} has no embedding; received embedding: ${embedding}`);
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
    auxiliary: auxiliary && head ? { ...head, layers: widen(head.layers, transformation) } : undefined,
  };
}

/** Key of the hidden layers, and what their parameters' names begin with: `hidden/dense1/weight`. */
export const hiddenKey = 'hidden';

/** Whether the classifier has hidden layers; a figure's own layer of another kind under their key is none. */
export function hasHidden({ layers }: Pick<Network, 'layers'>): boolean {
  const layer = layers[hiddenKey];
  return layer?.kind === 'sequence' && layer.layers.every(({ kind }) => kind === 'dense');
}

/** The layers with hidden ones before the classifier and its dropout. */
function withHidden({ name, layers }: Network, units: readonly number[]): Layers {
  if (units.length === 0) return layers;
  if (layers[hiddenKey])
    throw new NetworkOptionError(
      `${name} has a layer '${hiddenKey}' of its own; received hidden: ${units.join(',')}`,
    );
  const entries = Object.entries(layers);
  const at = entries.at(-2)?.[1].kind === 'dropout' ? -2 : -1;
  const hidden = [hiddenKey, sequence(...units.map(dense))] as const;
  return Object.fromEntries([...entries.slice(0, at), hidden, ...entries.slice(at)]);
}

/** Stage A, B or C of a network's layer, or undefined for the layers between the stages. */
export const stageOf = ({ stages = {} }: Pick<Network, 'stages'>, key: string): Stage | undefined =>
  (Object.keys(stages) as Stage[]).find((stage) => stages[stage] === key);

/** An option for a stage that the network lacks would have no effect. */
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

/** The layers with batch normalisation on the last residual sum: the paper's 'extra batch-normalization' on the layer before the pooling. */
function normaliseLastSum(entries: readonly (readonly [key: string, layer: Layer])[]) {
  const last = entries.findLastIndex(([, layer]) => hasResidual(layer));
  return entries.map(([key, layer], index) => [key, index === last ? withNorm(layer) : layer] as const);
}

const hasResidual = (layer: Layer): boolean => layersIn([layer]).some(({ kind }) => kind === 'residual');

function withNorm(layer: Layer): Layer {
  if (layer.kind === 'residual') return { ...layer, norm: true };
  if (layer.kind === 'repeat') return { ...layer, last: withNorm(blockAt(layer, layer.count - 1)) };
  if (layer.kind !== 'sequence') return layer;
  const last = layer.layers.findLastIndex(hasResidual);
  return { ...layer, layers: layer.layers.map((inner, index) => (index === last ? withNorm(inner) : inner)) };
}

interface Transformation {
  readonly stage?: Stage | undefined;
  readonly width: number;
  readonly blocks: NetworkOptions['blocks'];
  readonly residualScale: NetworkOptions['residualScale'];
  readonly shortcuts: boolean;
  readonly sumNorm: NonNullable<NetworkOptions['sumNorm']>;
  readonly dropoutKeep: number | undefined;
  readonly embedding: number | undefined;
}

const widen = (layers: Layers, transformation: Transformation): Layers =>
  Object.fromEntries(Object.entries(layers).map(([key, layer]) => [key, transform(layer, transformation)]));

function transform(layer: Layer, transformation: Transformation): Layer {
  const inside = (branches: readonly Branch[]) =>
    branches.map((branch) => branch.map((inner) => transform(inner, transformation)));
  switch (layer.kind) {
    case 'conv':
      return { ...layer, filters: scaledFilters(layer.filters, transformation.width) };
    case 'filterConcat':
      return { ...layer, branches: inside(layer.branches) };
    case 'sum':
      return { ...layer, branches: inside(layer.branches) };
    case 'residual':
      return {
        ...layer,
        scale: scaleOf(layer.scale, transformation),
        ...(!transformation.shortcuts && { shortcut: false }),
        ...(transformation.sumNorm === 'all' && { norm: true }),
        branches: inside(layer.branches),
      };
    case 'sequence':
      return { ...layer, layers: layer.layers.map((inner) => transform(inner, transformation)) };
    case 'repeat':
      return {
        ...layer,
        count: (transformation.stage && transformation.blocks?.[transformation.stage]) ?? layer.count,
        block: transform(layer.block, transformation),
        ...(layer.first && { first: transform(layer.first, transformation) }),
        ...(layer.last && { last: transform(layer.last, transformation) }),
      };
    case 'dropout':
      return { ...layer, keep: transformation.dropoutKeep ?? layer.keep };
    case 'embedding':
      return { ...layer, features: transformation.embedding ?? layer.features };
    // Listed one by one, so that the compiler asks what the options do to a new kind of layer.
    case 'depthwise':
    case 'relu':
    case 'maxPool':
    case 'avgPool':
    case 'globalAvgPool':
    case 'fullyConnected':
    case 'dense':
      return layer;
  }
}

const scaledFilters = (filters: number, width: number): number =>
  width === 1 ? filters : Math.max(8, Math.round((filters * width) / 8) * 8);

function scaleOf(drawn: number, { stage, residualScale }: Transformation): number {
  // The last block of the released networks always adds its residual unscaled.
  if (residualScale === undefined || drawn === 1) return drawn;
  if (residualScale === 'off') return 1;
  if (typeof residualScale === 'number') return residualScale;
  return (stage && residualScale[stage]) ?? drawn;
}

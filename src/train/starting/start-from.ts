/**
 * What a training takes over from the weights that it starts from: the network with its options and the preprocessing; and which
 * options may differ from theirs. Pure.
 */
import { UsageError } from '../../errors.ts';
import { buildGraph } from '../../graph/build-graph.ts';
import { type Graph, parametersAfterFeatures, parametersOf } from '../../graph/graph.ts';
import type { Preprocessing } from '../../images/preprocess.ts';
import { networkOf } from '../../model/description.ts';
import type { ModelFile } from '../../model/model-file.ts';
import {
  type NetworkOptionName,
  type NetworkOptions,
  networkOptions,
} from '../../networks/network-options.ts';
import { configure } from '../../networks/networks.ts';
import type { Network } from '../../networks/notation.ts';
import { keptRows, keptRowsOf } from './kept-classes.ts';
import type { StartingWeights } from './starting-weights.ts';

/** What of the weights a run began with, in its config.json. */
export interface WeightsRecord {
  /** As it was given: a path, or `hub:owner/name`. */
  readonly source: string;
  /** See `StartingWeights.sha256`. */
  readonly sha256: string;
  /** Classes whose rows of the classifier were kept. */
  readonly kept: readonly string[];
  /** Classes whose rows are new. */
  readonly reinitialised: readonly string[];
  /** The auxiliary classifier: `none` if neither the weights nor the run have one. */
  readonly auxiliary: 'kept' | 'new' | 'dropped' | 'none';
  /** Options of the network that are not those of the weights. */
  readonly changed: readonly string[];
  /** See `StartingWeights.decisions`. */
  readonly decisions: readonly string[];
}

/** The part of a run's configuration that its weights decide. */
export interface Started {
  readonly network: Network;
  readonly figure?: Network;
  readonly options: NetworkOptions;
  readonly preprocessing: Preprocessing;
  readonly weights: WeightsRecord;
}

/** What the caller asks for beside the weights. */
export interface Asked {
  readonly network?: string | Network | undefined;
  readonly options?: NetworkOptions | undefined;
  /** Of the data. */
  readonly classes: readonly string[];
}

/** Options that say nothing about parameters, or whose parameters may be new. */
const mayChange: ReadonlySet<NetworkOptionName> = new Set([
  'auxiliary',
  'dropoutKeep',
  'hidden',
  'inputSize',
]);

/** @throws UsageError naming what contradicts the weights. */
export function startFrom({ model, sha256, decisions }: StartingWeights, asked: Asked): Started {
  const { description, source } = model;
  const network = networkOf(description);
  refuseOtherNetwork(network, { source, asked: asked.network });
  const [, , channels] = model.graph.network.input;
  if (channels !== 3)
    throw new UsageError(`${source}: it takes ${channels} input channels; training images are RGB`);
  const { classes: _, auxiliary: hasAuxiliary = false, ...theirs } = description.options;
  const { classes: __, auxiliary = false, ...given } = asked.options ?? {};
  const ours = { ...newHead(model, asked), ...given };
  const changed = changesOf(network, { source, theirs, ours });
  const options = {
    ...theirs,
    ...ours,
    classes: asked.classes.length,
    ...(auxiliary && { auxiliary }),
  };
  const graph = buildGraph(configure(network, options));
  refuseOtherShapes(graph, model);
  const rows = keptRowsOf(graph, { classes: asked.classes, model });
  const [height, width] = graph.network.input;
  return {
    network,
    ...(description.figure && { figure: description.figure }),
    options,
    preprocessing: { ...description.preprocessing, size: [height, width] },
    weights: {
      source,
      sha256,
      kept: asked.classes.filter((_, index) => rows[index] !== undefined),
      reinitialised: asked.classes.filter((_, index) => rows[index] === undefined),
      auxiliary: auxiliary ? (hasAuxiliary ? 'kept' : 'new') : hasAuxiliary ? 'dropped' : 'none',
      changed,
      decisions,
    },
  };
}

/**
 * Hidden layers of a classifier are bent to its classes: those of other classes begin without, unless they are asked for.
 */
const newHead = ({ description }: ModelFile, { classes }: Asked): NetworkOptions =>
  description.options.hidden?.length && keptRows(classes, description).includes(undefined)
    ? { hidden: [] }
    : {};

function refuseOtherNetwork(
  network: Network,
  { source, asked }: { source: string; asked: Asked['network'] },
): void {
  if (asked === undefined) return;
  const name = typeof asked === 'string' ? asked : asked.name;
  if (name !== network.name)
    throw new UsageError(
      `${source} holds the weights of ${network.name}, not of ${name}; the network comes with the weights and can be left out`,
    );
  if (typeof asked !== 'string' && JSON.stringify(asked) !== JSON.stringify(network))
    throw new UsageError(`${source} holds the weights of another network that is called ${name}`);
}

/** The options that are not as in the weights, in words. @throws UsageError for one whose parameters the weights hold. */
function changesOf(
  network: Network,
  { source, theirs, ours }: { source: string; theirs: NetworkOptions; ours: NetworkOptions },
): string[] {
  const configured = (options: NetworkOptions) => JSON.stringify(configure(network, options));
  return (Object.keys(ours) as NetworkOptionName[]).flatMap((name) => {
    const value = ours[name];
    if (value === undefined || configured({ ...theirs, [name]: value }) === configured(theirs)) return [];
    const option = networkOptions[name] as { format(value: unknown): string };
    const [now, before] = [value, theirs[name]].map((each) =>
      each === undefined ? "the network's own" : option.format(each),
    );
    if (name === 'hidden')
      return [
        theirs.hidden?.length
          ? `hidden: ${before} in the weights, ${now} here (--hidden ${before} keeps them)`
          : `hidden: none in the weights, ${now} here`,
      ];
    if (mayChange.has(name)) return [`${name}: ${before} in the weights, ${now} here`];
    throw new UsageError(
      `network option '${name}': ${source} has ${before}, received ${now}; it comes with the weights (${[...mayChange].join(', ')} may differ)`,
    );
  });
}

/** Whether the classifier has hidden layers of its own: those of the weights are no change of theirs. */
export const hasNewHidden = ({ changed }: Pick<WeightsRecord, 'changed'>): boolean =>
  changed.some((line) => line.startsWith('hidden:'));

/** An input size is free where every layer slides over its input. @throws UsageError naming the first layer that does not. */
function refuseOtherShapes(graph: Graph, { graph: trained, source }: ModelFile): void {
  const ours = new Set(parametersAfterFeatures(graph).map(({ name }) => name));
  const theirs = new Map(parametersOf(trained).map((parameter) => [parameter.name, parameter]));
  for (const { name, shape } of parametersOf(graph)) {
    const before = theirs.get(name)?.shape;
    if (ours.has(name) || before === undefined || before.join() === shape.join()) continue;
    throw new UsageError(
      `${source}: at an input of ${graph.network.input.slice(0, 2).join('×')} '${name}' is [${shape.join(', ')}], in the weights [${before.join(', ')}]; use their input size, ${trained.network.input.slice(0, 2).join('×')}`,
    );
  }
}

/** A network that ends after one of its parts, with a classifier of its own: pooling, dropout, one output per class. */
import { NetworkOptionError, type NetworkOptions } from './network-options.ts';
import {
  fullyConnected,
  globalAvgPool,
  type Layer,
  type Layers,
  type Network,
  type Stage,
} from './notation.ts';

/**
 * Cuts a network after `inceptionB`, or after the block `inceptionB/3`. Everything before keeps its name, so that its weights fit. The
 * classifier's layers have the names that they have in the whole network.
 * @throws NetworkOptionError for a part that is neither a layer nor a block of the network.
 */
export function cutNetwork(
  network: Network,
  { part, options }: { readonly part: string; readonly options: NetworkOptions },
): { network: Network; options: NetworkOptions } {
  // What is no key, or no key and number, is no part: nothing of it is overlooked.
  const [, key, block] = /^([^/]+)(?:\/(0|[1-9]\d*))?$/.exec(part) ?? [];
  const entries = Object.entries(network.layers);
  const last = entries.findIndex(([each]) => each === key);
  const layer = entries[last]?.[1];
  const { stages = {}, ...rest } = without(network, ['auxiliary', 'featuresAt', 'published', 'printed']);
  const stage = (Object.keys(stages) as Stage[]).find((each) => stages[each] === key);
  const blockCount = (stage && options.blocks?.[stage]) ?? (layer?.kind === 'repeat' ? layer.count : 0);
  // The last block of a repeat may differ from the others: all of them are the whole repeat.
  const isWhole = block === undefined || Number(block) + 1 === blockCount;
  const cut = layer && (isWhole ? layer : firstBlocks(layer, { count: Number(block) + 1, of: blockCount }));
  if (!cut)
    throw new NetworkOptionError(
      `${network.name} cannot end after '${part}'; expected ${entries.map(([each]) => each).join(', ')}, or a block of one that is repeated, as KEY/0`,
    );
  const layers: Layers = {
    ...Object.fromEntries(entries.slice(0, last)),
    [key as string]: cut,
    ...classifierLayers(network.layers),
  };
  const kept = Object.entries(stages).filter(([, each]) => each in layers) as [Stage, string][];
  const counted = kept.filter(([, each]) => isWhole || each !== key).map(([stage]) => stage);
  const { blocks, residualScale, ...others } = without(options, ['auxiliary', 'embedding', 'hidden']);
  return {
    network: {
      ...rest,
      name: `${network.name}-to-${part.replace('/', '-')}`,
      about: `${network.name} up to ${part}`,
      layers,
      ...(kept.length > 0 && { stages: Object.fromEntries(kept) }),
    },
    options: {
      ...others,
      ...(blocks && { blocks: pick(blocks, counted) }),
      ...(residualScale !== undefined && {
        residualScale:
          typeof residualScale === 'object'
            ? pick(
                residualScale,
                kept.map(([stage]) => stage),
              )
            : residualScale,
      }),
    },
  };
}

/** The first blocks of a repeat without its last one; undefined if there are not as many. */
function firstBlocks(layer: Layer, { count, of }: { count: number; of: number }): Layer | undefined {
  if (layer.kind !== 'repeat' || !Number.isInteger(count) || count < 1 || count > of) return undefined;
  const { last: _, ...without } = layer;
  return { ...without, count };
}

function classifierLayers(layers: Layers): Layers {
  const entries = Object.entries(layers);
  const keyOf = (kind: Layer['kind'], usual: string) =>
    entries.find(([, layer]) => layer.kind === kind)?.[0] ?? usual;
  const dropout = entries.find(([, layer]) => layer.kind === 'dropout');
  return {
    [keyOf('globalAvgPool', 'averagePooling')]: globalAvgPool(),
    ...(dropout && { [dropout[0]]: dropout[1] }),
    [keyOf('fullyConnected', 'logits')]: fullyConnected(),
  };
}

const pick = (values: Readonly<Partial<Record<Stage, number>>>, stages: readonly Stage[]) =>
  Object.fromEntries(Object.entries(values).filter(([stage]) => stages.includes(stage as Stage)));

const without = <T extends object, K extends keyof T>(values: T, names: readonly K[]): Omit<T, K> =>
  Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name as K))) as Omit<T, K>;

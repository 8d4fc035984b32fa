/**
 * Keras's files that number layers without naming them: `.weights.h5` of Keras 2.12 and of early versions of 3
 * (`layers/conv2d_3/vars/0`), and what `save_weights`, `tf.train.Checkpoint` and `tf.saved_model.save` write
 * (`layer_with_weights-3/kernel`, `_operations/7/_kernel`, `variables/12`, each with `/.ATTRIBUTES/VARIABLE_VALUE`).
 * The numbers follow the order of the model's layers.
 */
import { buildGraph } from '../../graph/build-graph.ts';
import type { Graph } from '../../graph/graph.ts';
import { configure, findNetwork } from '../../networks/networks.ts';
import { type LayerOrder, layerOrderOf } from './layer-order.ts';

export type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

export interface NumberedLayer {
  /** Tells layers of the same name in different models apart. */
  readonly key: string;
  /** The model inside which the layers are counted. */
  readonly container: string;
  /** By which the layers of one kind are sorted. */
  readonly number: number;
  /** The tensors by their part: `kernel`, `beta`, …. */
  readonly parts: Map<string, string>;
}

const attribute = String.raw`/\.ATTRIBUTES/VARIABLE_VALUE$`;
const objectName = new RegExp(
  `^(?<container>.*?)(?<layer>(?:layer(?:_with_weights)?-|_operations/|_layers/|layers/)(?<number>\\d+))/_?(?<part>kernel|bias|gamma|beta|moving_mean|moving_variance)${attribute}`,
);
const listName = new RegExp(`^(?<container>.*?)variables/(?<number>\\d+)${attribute}`);
// One way to match each name: a container that could end anywhere takes time by the square of a name's length.
const variableName = /^(?<container>(?:.*\/)?)(?<layer>[^/]+)\/vars\/(?<part>\d+)$/;
const numberOf = (layer: string): string | undefined => /(?<=_)\d+$/.exec(layer)?.[0];

const normParts = ['gamma', 'beta', 'moving_mean', 'moving_variance'];

/** The layers of a file by their containers; empty if it names its layers. */
export function numberedLayers(tensors: Shapes): readonly NumberedLayer[] {
  const layers = new Map<string, NumberedLayer>();
  const lists = new Map<string, Map<number, string>>();
  for (const name of tensors.keys()) {
    const list = listName.exec(name)?.groups;
    if (list) {
      const container = list.container ?? '';
      lists.set(container, (lists.get(container) ?? new Map()).set(Number(list.number), name));
    }
    const match = (objectName.exec(name) ?? variableName.exec(name))?.groups;
    if (!match) continue;
    const { container = '', layer = '', number = numberOf(layer) ?? 0, part = '' } = match;
    const key = `${container}${layer}`;
    if (!layers.has(key)) layers.set(key, { key, container, number: Number(number), parts: new Map() });
    layers.get(key)?.parts.set(part, name);
  }
  const named = [...layers.values()].map((layer) => ({ ...layer, parts: namedParts(layer.parts, tensors) }));
  return [...named, ...[...lists].flatMap(([container, list]) => layersOfList(container, list, tensors))];
}

/** Variables that have numbers only: their meaning follows from their count and from the first one's shape. */
function namedParts(parts: Map<string, string>, tensors: Shapes): Map<string, string> {
  if (!parts.has('0')) return parts;
  const first = tensors.get(parts.get('0') ?? '')?.shape ?? [];
  const meanings = first.length > 1 ? ['kernel', 'bias'] : normParts.slice(-parts.size);
  return new Map([...parts].map(([part, name]) => [meanings[Number(part)] ?? part, name]));
}

/** A list of variables in the order of their layers: kernels are told by their shapes, what lies between them by its length. */
function layersOfList(
  container: string,
  list: ReadonlyMap<number, string>,
  tensors: Shapes,
): readonly NumberedLayer[] {
  const layers: NumberedLayer[] = [];
  const vectors: string[] = [];
  const nextLayer = () => ({
    key: `${container}variables/${layers.length}`,
    container,
    number: layers.length,
  });
  const flush = () => {
    if (vectors.length % 3 === 1) layers.at(-1)?.parts.set('bias', vectors.shift() as string);
    for (let at = 0; at + 3 <= vectors.length; at += 3) {
      const parts = normParts.slice(1).map((part, index) => [part, vectors[at + index] as string] as const);
      layers.push({ ...nextLayer(), parts: new Map(parts) });
    }
    vectors.length = 0;
  };
  for (const [, name] of [...list].sort(([a], [b]) => a - b)) {
    if (tensors.get(name)?.shape.length === 1) vectors.push(name);
    else {
      flush();
      layers.push({ ...nextLayer(), parts: new Map([['kernel', name]]) });
    }
  }
  flush();
  return layers;
}

/** For each tensor of a numbered network, its layer's path in our graph of it, and its part. Other tensors are left out. */
export function numberedTensors(
  layers: readonly NumberedLayer[],
  { tensors, networks }: { tensors: Shapes; networks: readonly string[] },
): ReadonlyMap<string, { readonly network: string; readonly path: string; readonly part: string }> {
  const containers = new Map<string, NumberedLayer[]>();
  for (const layer of [...layers].sort((a, b) => a.number - b.number)) {
    const inside = containers.get(layer.container);
    if (inside) inside.push(layer);
    else containers.set(layer.container, [layer]);
  }
  const isConvolution = ({ parts }: NumberedLayer) =>
    tensors.get(parts.get('kernel') ?? '')?.shape.length === 4;
  const result = new Map<string, { network: string; path: string; part: string }>();
  for (const inside of containers.values()) {
    const convolutions = inside.filter(isConvolution);
    const norms = inside.filter(({ parts }) => parts.has('moving_mean'));
    for (const network of convolutions.length > 0 ? networks : []) {
      const order = layerOrderIn(network);
      if (order.convolutions.length !== convolutions.length || order.norms.length > norms.length) continue;
      const assign = (theirs: readonly NumberedLayer[], ours: readonly string[]) => {
        for (const [index, path] of ours.entries())
          for (const [part, name] of theirs[index]?.parts ?? []) result.set(name, { network, path, part });
      };
      assign(convolutions, order.convolutions);
      // A norm in the head stands after the network's.
      assign(norms, order.norms);
    }
  }
  return result;
}

const orders = new Map<string, LayerOrder>();

function layerOrderIn(network: string): LayerOrder {
  const order = orders.get(network) ?? layerOrderOf(withoutClassifier(network));
  orders.set(network, order);
  return order;
}

/** The graph of a network as `include_top=False` builds it. */
export const withoutClassifier = (network: string): Graph =>
  buildGraph(configure(findNetwork(network), { classes: 0 }));

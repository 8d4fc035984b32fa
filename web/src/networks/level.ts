/**
 * A level of a network: the whole, a block, a branch or a layer, each with a drawing and a list of steps with shapes and costs. A
 * level is identified by its path in the graph; the whole network is the empty path.
 */

import { costLine, costLines, nodesAt } from '../../../src/diagram/cost-lines.ts';
import { nameOf } from '../../../src/diagram/diagram.ts';
import {
  box,
  chainFigure,
  type Drawing,
  type FigureContext,
  figure,
  type Item,
  stack,
} from '../../../src/diagram/diagram-layout.ts';
import { type PrintNote, printedPart, withMarks } from '../../../src/diagram/print-marks.ts';
import { type Costs, costsOfNodes, summariseLayers } from '../../../src/graph/costs.ts';
import { formatShape, type Graph, type Head, type Node, type Shape } from '../../../src/graph/graph.ts';
import { auxiliaryName, chainPaths, keyPath } from '../../../src/graph/layer-names.ts';
import { type Branch, blockAt, conv, type Layer, type Layers } from '../../../src/networks/notation.ts';

export interface Step extends Costs {
  /** Empty for an operation inside a layer, which cannot be opened. */
  readonly path: string;
  readonly title: string;
  /** The branch of the step, if the level has branches: `branch 1`. */
  readonly branch: { readonly path: string; readonly title: string } | undefined;
  readonly shape: Shape;
}

export interface Level {
  readonly path: string;
  /** The path that was asked for, where the network does not have it. */
  readonly missing: string | undefined;
  readonly title: string;
  readonly input: Shape;
  readonly output: Shape;
  readonly costs: Costs;
  readonly drawing: Drawing;
  /** The figure that prints this level, and where the drawing departs from it; undefined for a level inside a part. */
  readonly printed:
    | { readonly key: string; readonly figure: string | undefined; readonly notes: readonly PrintNote[] }
    | undefined;
  readonly steps: readonly Step[];
  /** From the whole network to this level, inclusive. */
  readonly crumbs: readonly { readonly path: string; readonly title: string }[];
  /** Blocks of the same repetition, if this level is one of them. */
  readonly siblings: readonly string[];
}

type Place =
  | { readonly kind: 'keys'; readonly layers: Layers; readonly head: Head }
  | { readonly kind: 'chain'; readonly layers: readonly Layer[] }
  | { readonly kind: 'layer'; readonly layer: Layer };

/** The level at a path, or the nearest level above if the network does not have that path. */
export function levelAt(graph: Graph, requestedPath: string): Level {
  const path = nearestPath(graph, requestedPath);
  const place = placeAt(graph, path) as Place;
  const inside = nodesAt(graph, path);
  const crumbs = crumbsOf(graph, path);
  const printed = printedAt(graph, path);
  const drawing = drawingOf(graph, { path, place, inside });
  return {
    path,
    missing: placeAt(graph, requestedPath) ? undefined : requestedPath,
    title: crumbs.at(-1)?.title ?? '',
    input: inputShape(graph, inside),
    output: outputShape(graph, path, inside),
    costs: costsOfNodes(inside),
    drawing: printed ? withMarks(drawing, { path, notes: printed.notes }) : drawing,
    printed,
    steps: stepsOf(graph, { path, place, inside }),
    crumbs,
    siblings: siblingsOf(graph, path),
  };
}

/** A part by its key; of a repetition, each block. */
function printedAt({ network }: Graph, path: string): Level['printed'] {
  const key = path.replace(/\/\d+$/, '');
  if (key !== '' && key !== auxiliaryName && !Object.hasOwn(network.layers, key)) return undefined;
  return { key, ...printedPart(network, key) };
}

function nearestPath(graph: Graph, requestedPath: string): string {
  let path = requestedPath;
  while (path !== '' && !placeAt(graph, path)) path = path.slice(0, Math.max(0, path.lastIndexOf('/')));
  // A repetition is represented by its first block.
  const place = placeAt(graph, path);
  return place?.kind === 'layer' && place.layer.kind === 'repeat' ? `${path}/0` : path;
}

function placeAt({ network, nodes }: Graph, path: string): Place | undefined {
  const { layers, auxiliary } = network;
  if (path === '') return { kind: 'keys', layers, head: 'main' };
  let names = path.split('/');
  let keys = layers;
  if (names[0] === auxiliaryName) {
    if (!auxiliary) return undefined;
    if (names.length === 1) return { kind: 'keys', layers: auxiliary.layers, head: 'auxiliary' };
    keys = auxiliary.layers;
    names = names.slice(1);
  }
  const [key = '', ...innerNames] = names;
  const first = Object.hasOwn(keys, key) ? keys[key] : undefined;
  let place: Place | undefined = first && { kind: 'layer', layer: first };
  for (const name of innerNames) place = place && step(place, name, nodes);
  return place;
}

function step(place: Place, name: string, nodes: readonly Node[]): Place | undefined {
  if (place.kind === 'keys') return undefined;
  if (place.kind === 'chain') {
    const index = chainPaths(place.layers, '').indexOf(`/${name}`);
    const layer = place.layers[index];
    return layer && { kind: 'layer', layer };
  }
  const { layer } = place;
  // Exhaustive: a new kind of layer must say here whether it can be opened.
  switch (layer.kind) {
    case 'repeat': {
      const index = /^\d+$/.test(name) ? Number(name) : Number.NaN;
      return index < layer.count ? { kind: 'layer', layer: blockAt(layer, index) } : undefined;
    }
    case 'sequence':
      return step({ kind: 'chain', layers: layer.layers }, name, nodes);
    case 'residual':
      return name === 'linear' ? { kind: 'layer', layer: conv('1x1', 0) } : branchOf(layer.branches, name);
    case 'filterConcat':
    case 'sum':
      return branchOf(layer.branches, name);
    case 'conv':
    case 'depthwise':
    case 'relu':
    case 'maxPool':
    case 'avgPool':
    case 'globalAvgPool':
    case 'dropout':
    case 'fullyConnected':
    case 'embedding':
    case 'dense':
      return undefined;
  }
  return layer satisfies never;
}

function branchOf(branches: readonly Branch[], name: string): Place | undefined {
  const branch = /^branch\d+$/.test(name) ? branches[Number(name.slice(6))] : undefined;
  return branch && branch.length > 0 ? { kind: 'chain', layers: branch } : undefined;
}

const nodeAt = ({ nodes }: Graph, id: number): Node => nodes[id] as Node;

const inputShape = (graph: Graph, inside: readonly Node[]): Shape => {
  const id = inside[0]?.inputs[0];
  return id === undefined ? graph.network.input : nodeAt(graph, id).shape;
};

const outputShape = (graph: Graph, path: string, inside: readonly Node[]): Shape =>
  path === '' ? nodeAt(graph, graph.logits).shape : (inside.at(-1) as Node).shape;

/** Title of the last name in a path. */
function titleOf(path: string): string {
  if (path === auxiliaryName) return 'Auxiliary classifier';
  const segments = path.split('/');
  const names = segments[0] === auxiliaryName ? segments.slice(1) : segments;
  const last = names.at(-1) as string;
  if (names.length === 1) return nameOf(last);
  if (/^\d+$/.test(last)) return `block ${last}`;
  return last.replace(/^(\D+)(\d+)$/, (_, name: string, number: string) =>
    name === 'branch' ? `branch ${number}` : `${nameOf(name).toLowerCase()} ${number}`,
  );
}

function crumbsOf({ network }: Graph, path: string): Level['crumbs'] {
  const names = path === '' ? [] : path.split('/');
  const crumbs = names.map((_, index) => {
    const crumbPath = names.slice(0, index + 1).join('/');
    return { path: crumbPath, title: titleOf(crumbPath) };
  });
  // A repetition and its block form one crumb.
  const merged = crumbs.flatMap((crumb, index) => {
    const next = crumbs[index + 1];
    if (next && /\/\d+$/.test(next.path)) return [];
    if (!/\/\d+$/.test(crumb.path)) return [crumb];
    const stage = crumbs[index - 1]?.title ?? '';
    return [{ ...crumb, title: `${stage}, ${crumb.title}` }];
  });
  return [{ path: '', title: network.name }, ...merged];
}

function siblingsOf(graph: Graph, path: string): readonly string[] {
  const match = /^(.*)\/\d+$/.exec(path);
  const place = match && placeAt(graph, match[1] as string);
  if (place?.kind !== 'layer' || place.layer.kind !== 'repeat') return [];
  return Array.from({ length: place.layer.count }, (_, index) => `${(match as string[])[1]}/${index}`);
}

interface LevelContext {
  readonly path: string;
  readonly place: Place;
  readonly inside: readonly Node[];
}

function drawingOf(graph: Graph, { path, place, inside }: LevelContext): Drawing {
  const input = inputShape(graph, inside);
  const depth = input[2];
  const withInput = (drawn: Drawing) => stack([box('plain', ['Input', formatShape(input)]), drawn]);
  const context: FigureContext = { path, depth, notes: costLines(graph) };
  if (place.kind === 'keys') return schema(graph, place);
  if (place.kind === 'chain') return withInput(chainFigure(place.layers, context));
  const { layer } = place;
  const isLinear = layer.kind === 'conv' && layer.filters === 0;
  return withInput(
    figure(isLinear ? { ...layer, filters: outputShape(graph, path, inside)[2] } : layer, context),
  );
}

/** Figures 9 and 15: one box per part. The auxiliary head is drawn beside the part that it reads. */
function schema(graph: Graph, { layers, head }: Extract<Place, { kind: 'keys' }>): Drawing {
  const { auxiliary } = graph.network;
  const part = (key: string, label: string) => {
    const nodes = nodesAt(graph, key);
    const lines = [label, formatShape((nodes.at(-1) as Node).shape), ...costLine(nodes)];
    return box('stage', lines, { minWidth: 200, path: key });
  };
  const parts = Object.entries(layers).map(([key, layer]) => {
    const times = layer.kind === 'repeat' && layer.count > 1 ? `${layer.count} × ` : '';
    return part(keyPath(head, key), times + nameOf(key));
  });
  const input = box(
    'plain',
    ['Input', formatShape(head === 'auxiliary' ? auxiliaryInput(graph) : graph.network.input)],
    {
      minWidth: 200,
    },
  );
  const drawing = stack([input, ...parts]);
  if (!auxiliary || head === 'auxiliary') return drawing;
  const auxiliaryPart = part(auxiliaryName, 'Auxiliary');
  const [headBox] = auxiliaryPart.items as [Extract<Item, { kind: 'box' }>];
  const source = drawing.items.find((item) => item.kind === 'box' && item.path === auxiliary.after);
  if (source?.kind !== 'box') return drawing;
  const x = drawing.width + 36;
  const middle = source.y + source.height / 2;
  const items: Item[] = [
    ...drawing.items,
    {
      kind: 'path',
      points: [
        [source.x + source.width, middle],
        [x, middle],
      ],
      arrow: true,
    },
    { ...headBox, x, y: middle - headBox.height / 2 },
  ];
  return { ...drawing, width: x + auxiliaryPart.width, items };
}

const auxiliaryInput = (graph: Graph): Shape =>
  nodeAt(graph, graph.endpoints.get(graph.network.auxiliary?.after ?? '') ?? 0).shape;

function stepsOf(graph: Graph, { path, place, inside }: LevelContext): readonly Step[] {
  if (place.kind === 'keys') return keySteps(graph, place);
  const isLayer = inside.every((node) => node.path === path);
  if (isLayer) {
    return inside.map((node) => ({
      path: '',
      title: operationNames[node.op],
      branch: undefined,
      shape: node.shape,
      ...costsOfNodes([node]),
    }));
  }
  const layers = summariseLayers({ ...graph, nodes: inside });
  return layers.map(({ name, what, shape, parameters, macs, activations }) => {
    const branch = /^branch(\d+)\//.exec(name.slice(path.length + 1))?.[1];
    return {
      path: name === path ? '' : name,
      title: what ?? name,
      branch:
        branch === undefined ? undefined : { path: `${path}/branch${branch}`, title: `branch ${branch}` },
      shape,
      parameters,
      macs,
      activations,
    };
  });
}

function keySteps(graph: Graph, { layers, head }: Extract<Place, { kind: 'keys' }>): Step[] {
  const keys = Object.entries(layers).map(([key, layer]) => {
    const times = layer.kind === 'repeat' && layer.count > 1 ? `${layer.count} × ` : '';
    return { path: keyPath(head, key), title: times + nameOf(key) };
  });
  if (head === 'main' && graph.network.auxiliary)
    keys.push({ path: auxiliaryName, title: 'Auxiliary classifier' });
  return keys.map(({ path, title }) => {
    const nodes = nodesAt(graph, path);
    return {
      path,
      title,
      branch: undefined,
      shape: (nodes.at(-1) as Node).shape,
      ...costsOfNodes(nodes),
    };
  });
}

const operationNames: Readonly<Record<Node['op'], string>> = {
  input: 'Input',
  pad: 'Padding',
  slice: 'Slice',
  conv: 'Convolution',
  batchNorm: 'Batch normalisation',
  relu: 'ReLU',
  maxPool: 'Max pooling',
  avgPool: 'Average pooling',
  globalAvgPool: 'Average pooling',
  concat: 'Filter concat',
  scaledAdd: 'Scaled addition',
  dropout: 'Dropout',
  linear: 'Fully connected',
};

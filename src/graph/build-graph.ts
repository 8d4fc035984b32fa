/** Builds the graph of a network: shapes, padding, names and parameters are derived here and only here. */
import { type ConfiguredNetwork, hasHidden, hiddenKey } from '../networks/networks.ts';
import {
  type Branch,
  blockAt,
  type Conv,
  type Layer,
  type Layers,
  type Pool,
  type Residual,
  type Sum,
} from '../networks/notation.ts';
import {
  type Attributes,
  formatShape,
  type Graph,
  type Head,
  type MemberParameters,
  type Node,
  type Op,
  type Pair,
  type Parameter,
  type Role,
  type Shape,
} from './graph.ts';
import { chainPaths, keyPath } from './layer-names.ts';
import { GraphError, GridTooSmall, outputGrid, readMarks, readWindow, samePadding } from './windows.ts';

export { GraphError } from './windows.ts';

/** Epsilon of batch normalisation in every released Inception network. */
const defaultEpsilon = 0.001;

/** Builds the graph. @throws GraphError naming the layer, and for a small input the minimum size. */
export function buildGraph(network: ConfiguredNetwork): Graph {
  try {
    return build(network);
  } catch (error) {
    if (!(error instanceof GridTooSmall)) throw error;
    const minimum = smallestInput(network);
    const [height, width] = network.input;
    throw new GraphError(
      `${error.message}; ${network.name} needs an input of at least ${minimum}×${minimum} pixels, received ${height}×${width}`,
    );
  }
}

/** The smallest square input, in pixels, that every layer of the network accepts. */
export function smallestInput(network: ConfiguredNetwork): number {
  for (let side = 1; ; side++) {
    try {
      build({ ...network, input: [side, side, network.input[2]] });
      return side;
    } catch (error) {
      if (!(error instanceof GridTooSmall)) throw error;
    }
  }
}

function build(network: ConfiguredNetwork): Graph {
  const builder = new Builder(network);
  const input = builder.add('input', [], 'input', network.input, {});
  const afterLayers = builder.addLayers(network.layers, input);
  const { auxiliary } = network;
  let auxiliaryLogits: number | undefined;
  if (auxiliary) {
    const source = builder.endpoints.get(auxiliary.after);
    if (source === undefined)
      throw new GraphError(`auxiliary: there is no layer '${auxiliary.after}' to read`);
    builder.head = 'auxiliary';
    auxiliaryLogits = builder.addLayers(auxiliary.layers, source);
  }
  return {
    network,
    nodes: builder.nodes,
    logits: afterLayers,
    features: featuresOf(network, builder.nodes, afterLayers),
    auxiliaryLogits,
    endpoints: builder.endpoints,
  };
}

/** What the first hidden layer reads, or the classifier. */
function featuresOf(network: ConfiguredNetwork, nodes: readonly Node[], logits: number): number {
  if (network.classes === 0) return logits;
  const hidden = hasHidden(network) && nodes.find(({ path }) => path.startsWith(`${hiddenKey}/`));
  return (hidden || (nodes[logits] as Node)).inputs[0] as number;
}

class Builder {
  readonly nodes: Node[] = [];
  readonly endpoints = new Map<string, number>();
  /** Head of the nodes being added. */
  head: Head = 'main';
  /** Depth of nesting in branches; only outputs outside of branches are endpoints. */
  #branches = 0;
  readonly #network: ConfiguredNetwork;

  constructor(network: ConfiguredNetwork) {
    this.#network = network;
  }

  add<K extends Op>(
    op: K,
    inputs: number[],
    path: string,
    shape: Shape,
    attributes: Attributes[K],
    parameters: MemberParameters<K> = {},
  ): number {
    const id = this.nodes.length;
    this.nodes.push({
      id,
      op,
      head: this.head,
      inputs,
      path,
      shape,
      attributes,
      parameters: { members: [parameters] },
    } as unknown as Node);
    return id;
  }

  addLayers(layers: Layers, input: number): number {
    let current = input;
    for (const [key, layer] of Object.entries(layers)) {
      const path = keyPath(this.head, key);
      current = this.#layer(layer, current, path);
      this.#name(path, current);
    }
    return current;
  }

  #shape(id: number): Shape {
    return (this.nodes[id] as Node).shape;
  }

  #layer(layer: Layer, input: number, path: string): number {
    switch (layer.kind) {
      case 'conv':
        return this.#conv(layer, input, path);
      case 'depthwise': {
        const channels = this.#shape(input)[2];
        return this.#conv({ ...layer, kind: 'conv', filters: channels, groups: channels }, input, path);
      }
      case 'relu':
        return this.add('relu', [input], path, this.#shape(input), {});
      case 'maxPool':
      case 'avgPool':
        return this.#pool(layer, input, path);
      case 'filterConcat':
        return this.#concat(layer.branches, input, path);
      case 'residual':
        return this.#residual(layer, input, path);
      case 'sum':
        return this.#sum(layer, input, path);
      case 'sequence':
        return this.#chain(layer.layers, input, path);
      case 'repeat': {
        let current = input;
        for (let index = 0; index < layer.count; index++) {
          current = this.#layer(blockAt(layer, index), current, `${path}/${index}`);
          this.#name(`${path}/${index}`, current);
        }
        return current;
      }
      case 'globalAvgPool':
        return this.add('globalAvgPool', [input], path, [1, 1, this.#shape(input)[2]], {});
      case 'dropout':
        return this.add('dropout', [input], path, this.#shape(input), { keep: layer.keep });
      case 'fullyConnected':
        return this.#linear(this.#network.classes, input, path, { bias: true });
      case 'embedding':
        return this.#batchNorm(this.#linear(layer.features, input, path, { bias: false }), path);
      case 'dense': {
        const dense = this.#linear(layer.units, input, path, { bias: true, role: 'hiddenWeight' });
        return this.add('relu', [dense], path, this.#shape(dense), {});
      }
    }
  }

  #chain(layers: readonly Layer[], input: number, path: string): number {
    const paths = chainPaths(layers, path);
    let current = input;
    layers.forEach((layer, index) => {
      const name = paths[index] as string;
      current = this.#layer(layer, current, name);
      this.#name(name, current);
    });
    return current;
  }

  #name(path: string, id: number): void {
    if (this.#branches === 0) this.endpoints.set(path, id);
  }

  #conv(layer: Conv, input: number, path: string): number {
    const { norm = true, bias = !norm, marks } = layer;
    const convolved = this.#convolution(layer, input, path, { bias });
    const last = norm ? this.#batchNorm(convolved, path) : convolved;
    return readMarks(marks, path).relu ? this.add('relu', [last], path, this.#shape(last), {}) : last;
  }

  #batchNorm(input: number, path: string): number {
    const shape = this.#shape(input);
    const channels = shape[2];
    const part = (name: 'gamma' | 'beta' | 'movingMean' | 'movingVariance') =>
      parameter(path, name, name, [channels]);
    return this.add(
      'batchNorm',
      [input],
      path,
      shape,
      { epsilon: this.#network.epsilon ?? defaultEpsilon },
      {
        ...(this.#network.gamma && { gamma: part('gamma') }),
        beta: part('beta'),
        movingMean: part('movingMean'),
        movingVariance: part('movingVariance'),
      },
    );
  }

  #linear(
    outputs: number,
    input: number,
    path: string,
    { bias, role = 'linearWeight' }: { bias: boolean; role?: Role },
  ): number {
    const features = this.#shape(input)[2];
    return this.add(
      'linear',
      [input],
      path,
      [1, 1, outputs],
      { bias },
      {
        weight: parameter(path, 'weight', role, [outputs, features]),
        ...(bias && { bias: parameter(path, 'bias', 'linearBias', [outputs]) }),
      },
    );
  }

  #convolution(
    layer: Conv,
    source: number,
    path: string,
    { bias, role = 'convWeight' }: { bias: boolean; role?: Role },
  ): number {
    const { groups = 1, filters } = layer;
    const { input, grid, window, stride, padding } = this.#window(layer, source, path);
    const channels = this.#shape(input)[2];
    if (channels % groups !== 0 || filters % groups !== 0) {
      throw new GraphError(
        `${path}: ${groups} groups must divide channels and filters, received ${channels} and ${filters}`,
      );
    }
    return this.add(
      'conv',
      [input],
      path,
      [...grid, filters],
      { window, stride, padding, groups, bias },
      {
        weight: parameter(path, 'weight', role, [filters, channels / groups, ...window]),
        ...(bias && { bias: parameter(path, 'bias', 'convBias', [layer.filters]) }),
      },
    );
  }

  #pool(layer: Pool, source: number, path: string): number {
    const { input, grid, window, stride, padding } = this.#window(layer, source, path);
    const shape: Shape = [...grid, this.#shape(input)[2]];
    if (layer.kind === 'maxPool')
      return this.add('maxPool', [input], path, shape, { window, stride, padding });
    const { countPadding } = this.#network;
    return this.add('avgPool', [input], path, shape, { window, stride, padding, countPadding });
  }

  #ends(branches: readonly Branch[], input: number, path: string): number[] {
    this.#branches++;
    const ends = branches.map((branch, index) => this.#chain(branch, input, `${path}/branch${index}`));
    this.#branches--;
    return ends;
  }

  #concat(branches: readonly Branch[], input: number, path: string): number {
    const ends = this.#ends(branches, input, path);
    const shapes = ends.map((end) => this.#shape(end));
    const [height, width] = shapes[0] as Shape;
    if (shapes.some((shape) => shape[0] !== height || shape[1] !== width)) {
      throw new GraphError(`${path}: branches disagree: ${shapes.map(formatShape).join(', ')}`);
    }
    const depth = shapes.reduce((sum, shape) => sum + shape[2], 0);
    return this.add('concat', ends, path, [height, width, depth], {});
  }

  #sum(layer: Sum, input: number, path: string): number {
    const ends = this.#ends(layer.branches, input, path);
    const shapes = ends.map((end) => this.#shape(end));
    const [shape] = shapes as [Shape];
    if (shapes.some((other) => formatShape(other) !== formatShape(shape))) {
      throw new GraphError(
        `${path}: branches of unlike shapes cannot be added: ${shapes.map(formatShape).join(', ')}`,
      );
    }
    const total = ends.reduce((sum, end) => this.add('scaledAdd', [sum, end], path, shape, { scale: 1 }));
    return layer.relu ? this.add('relu', [total], path, shape, {}) : total;
  }

  #residual(layer: Residual, input: number, path: string): number {
    const shape = this.#shape(input);
    const branches = this.#concat(layer.branches, input, path);
    const linear: Conv = { kind: 'conv', window: '1x1', filters: shape[2], marks: undefined };
    const scaled = this.#convolution(linear, branches, `${path}/linear`, {
      bias: true,
      role: 'residualWeight',
    });
    if (formatShape(this.#shape(scaled)) !== formatShape(shape)) {
      throw new GraphError(
        `${path}: the residual ${formatShape(this.#shape(scaled))} cannot be added to ${formatShape(shape)}`,
      );
    }
    const { shortcut = true, norm = false } = layer;
    const added = shortcut
      ? this.add('scaledAdd', [input, scaled], path, shape, { scale: layer.scale })
      : scaled;
    const sum = norm ? this.#batchNorm(added, path) : added;
    return layer.relu ? this.add('relu', [sum], path, shape, {}) : sum;
  }

  /** Window, stride and padding of a layer, its output grid, and a node for asymmetric padding. */
  #window(layer: Conv | Pool, source: number, path: string): Windowed {
    const [height, width, channels] = this.#shape(source);
    const { stride, padding: rule } = readMarks(layer.marks, path);
    let window = readWindow(layer.window, path);
    // The auxiliary head's windows shrink to a smaller grid, as in TF-Slim.
    if (this.head === 'auxiliary') window = [Math.min(window[0], height), Math.min(window[1], width)];
    let padding: Pair = [0, 0];
    let input = source;
    if (rule === 'same') {
      if (window[0] % 2 === 0 || window[1] % 2 === 0) {
        throw new GraphError(`${path}: same padding needs a window with odd sides, received ${layer.window}`);
      }
      const { before, after } = samePadding([height, width], {
        window,
        stride,
        as: this.#network.samePadding,
      });
      if (before.join() === after.join()) padding = before;
      else if (layer.kind === 'avgPool') {
        throw new GraphError(
          `${path}: an average pooling's same padding has to be symmetric, received ${before.join('×')} before and ${after.join('×')} after the ${height}×${width} grid; mark it V, or say samePadding: 'torch'`,
        );
      } else {
        const shape: Shape = [height + before[0] + after[0], width + before[1] + after[1], channels];
        const value = layer.kind === 'maxPool' ? Number.NEGATIVE_INFINITY : 0;
        input = this.add('pad', [source], path, shape, { before, after, value });
      }
    }
    const [down, across] = this.#shape(input);
    return {
      input,
      window,
      stride,
      padding,
      grid: outputGrid([down, across], { window, stride, padding, path }),
    };
  }
}

/** A window and its output grid. */
interface Windowed {
  readonly window: Pair;
  readonly stride: number;
  readonly padding: Pair;
  /** The layer's input, or a padded version of it. */
  readonly input: number;
  readonly grid: Pair;
}

const parameter = (path: string, part: string, role: Role, shape: number[]): Parameter => ({
  name: `${path}/${part}`,
  role,
  shape,
});

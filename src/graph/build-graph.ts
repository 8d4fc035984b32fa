/** From a network's figures to its graph: shapes, padding, names and parameters are derived here and only here. */
import { InceptionError } from '../errors.ts';
import type { ConfiguredNetwork } from '../networks/networks.ts';
import {
  type Branch,
  blockAt,
  type Conv,
  type Layer,
  type Layers,
  markMeanings,
  type Pool,
  type Residual,
  type Window,
  windowSize,
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

/** Batch normalisation's epsilon in every released network. */
const batchNormEpsilon = 0.001;

/** The figures do not fit: branches that disagree, or an input that is too small. */
export class GraphError extends InceptionError {
  override name = 'GraphError';
}

/** A window that is larger than its grid. Separate, because the minimum input size is searched by catching it. */
class GridTooSmall extends GraphError {}

/** Builds the graph. @throws GraphError naming the layer, and for a small input the smallest that works. */
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
    auxiliaryLogits,
    endpoints: builder.endpoints,
  };
}

class Builder {
  readonly nodes: Node[] = [];
  readonly endpoints = new Map<string, number>();
  /** Of the nodes that are added. */
  head: Head = 'main';
  /** Only what is outside of branches is an endpoint. */
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
      case 'maxPool':
      case 'avgPool':
        return this.#pool(layer, input, path);
      case 'filterConcat':
        return this.#concat(layer.branches, input, path);
      case 'residual':
        return this.#residual(layer, input, path);
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
    const convolved = this.#convolution(layer, input, path, { bias: false });
    const batchNorm = this.#batchNorm(convolved, path);
    return this.add('relu', [batchNorm], path, this.#shape(batchNorm), {});
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
      { epsilon: batchNormEpsilon },
      {
        ...(this.#network.gamma && { gamma: part('gamma') }),
        beta: part('beta'),
        movingMean: part('movingMean'),
        movingVariance: part('movingVariance'),
      },
    );
  }

  #linear(outputs: number, input: number, path: string, { bias }: { bias: boolean }): number {
    const features = this.#shape(input)[2];
    return this.add(
      'linear',
      [input],
      path,
      [1, 1, outputs],
      { bias },
      {
        weight: parameter(path, 'weight', 'linearWeight', [outputs, features]),
        ...(bias && { bias: parameter(path, 'bias', 'linearBias', [outputs]) }),
      },
    );
  }

  #convolution(
    layer: Conv,
    input: number,
    path: string,
    { bias, role = 'convWeight' }: { bias: boolean; role?: Role },
  ): number {
    const [height, width, channels] = this.#shape(input);
    const { window, stride, padding } = this.#geometry(layer, [height, width], path);
    const shape: Shape = [...outputGrid([height, width], { window, stride, padding, path }), layer.filters];
    return this.add(
      'conv',
      [input],
      path,
      shape,
      { window, stride, padding, bias },
      {
        weight: parameter(path, 'weight', role, [layer.filters, channels, ...window]),
        ...(bias && { bias: parameter(path, 'bias', 'convBias', [layer.filters]) }),
      },
    );
  }

  #pool(layer: Pool, input: number, path: string): number {
    const [height, width, channels] = this.#shape(input);
    const { window, stride, padding } = this.#geometry(layer, [height, width], path);
    const shape: Shape = [...outputGrid([height, width], { window, stride, padding, path }), channels];
    if (layer.kind === 'maxPool')
      return this.add('maxPool', [input], path, shape, { window, stride, padding });
    const { countPadding } = this.#network;
    return this.add('avgPool', [input], path, shape, { window, stride, padding, countPadding });
  }

  #concat(branches: readonly Branch[], input: number, path: string): number {
    this.#branches++;
    const ends = branches.map((branch, index) => this.#chain(branch, input, `${path}/branch${index}`));
    this.#branches--;
    const shapes = ends.map((end) => this.#shape(end));
    const [height, width] = shapes[0] as Shape;
    if (shapes.some((shape) => shape[0] !== height || shape[1] !== width)) {
      throw new GraphError(`${path}: branches disagree: ${shapes.map(formatShape).join(', ')}`);
    }
    const depth = shapes.reduce((sum, shape) => sum + shape[2], 0);
    return this.add('concat', ends, path, [height, width, depth], {});
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
    const sum = this.add('scaledAdd', [input, scaled], path, shape, { scale: layer.scale });
    return layer.relu ? this.add('relu', [sum], path, shape, {}) : sum;
  }

  #geometry(
    { window, marks }: Conv | Pool,
    grid: Pair,
    path: string,
  ): { window: Pair; stride: number; padding: Pair } {
    const meaning = markMeanings[marks ?? 'none'];
    let [height, width] = readWindow(window, path);
    // The auxiliary head's windows shrink to a grid that is smaller, as TF-Slim's do.
    if (this.head === 'auxiliary') [height, width] = [Math.min(height, grid[0]), Math.min(width, grid[1])];
    if (meaning.padding === 'valid')
      return { window: [height, width], stride: meaning.stride, padding: [0, 0] };
    if (height % 2 === 0 || width % 2 === 0) {
      throw new GraphError(`${path}: same padding needs a window with odd sides, received ${window}`);
    }
    return { window: [height, width], stride: meaning.stride, padding: [(height - 1) / 2, (width - 1) / 2] };
  }
}

function readWindow(window: Window, path: string): Pair {
  try {
    return windowSize(window);
  } catch (error) {
    throw new GraphError(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

const parameter = (path: string, part: string, role: Role, shape: number[]): Parameter => ({
  name: `${path}/${part}`,
  role,
  shape,
});

interface Sliding {
  readonly window: Pair;
  readonly stride: number;
  readonly padding: Pair;
  readonly path: string;
}

function outputGrid(grid: Pair, { window, stride, padding, path }: Sliding): [number, number] {
  const along = (axis: 0 | 1) => Math.floor((grid[axis] + 2 * padding[axis] - window[axis]) / stride) + 1;
  const output: [number, number] = [along(0), along(1)];
  if (output[0] < 1 || output[1] < 1) {
    throw new GridTooSmall(
      `${path}: its ${formatShape(window)} window is larger than the ${formatShape(grid)} grid it reads`,
    );
  }
  return output;
}

/** Converts our graph to ONNX's: a table of operations that is complete by its type. */
import type { Scaling } from '../../compile/options.ts';
import {
  elementCount,
  type Graph,
  type Node,
  type NodeOf,
  type Op,
  type Pair,
  type Parameter,
} from '../../graph/graph.ts';
import { parameterName, valueNames } from '../../graph/value-names.ts';
import { DeployError } from '../deploy-error.ts';
import { classActivationName, featuresName, type ModelInput } from '../model-metadata.ts';
import type { AttributeValue, OnnxGraph, OnnxNode, OnnxTensor, OnnxValue, Part } from '../onnx-graph.ts';
import { convolutionWeights, type ReadParameter } from './folded-weights.ts';

export interface WriteOptions {
  readonly read: ReadParameter;
  readonly input: ModelInput;
  /** Scaling of the pixels, for `input: 'uint8'`. */
  readonly scaling: Scaling;
  /** Output probabilities instead of logits. */
  readonly softmax: boolean;
  /** Output, besides, what each cell of the last grid gives to each class. */
  readonly classActivation?: boolean;
  /** Output, besides, what the classifier reads. */
  readonly features?: boolean;
}

/** The dimension that may have any size. */
const batchDimension = 'n';

interface WriteContext extends WriteOptions {
  readonly graph: Graph;
  readonly nodes: OnnxNode[];
  readonly constants: Map<string, OnnxTensor>;
  /** The value name of each node of the graph. */
  readonly names: string[];
}

type WriteRule<K extends Op> = (
  node: NodeOf<K>,
  inputs: readonly string[],
  context: WriteContext,
) => Promise<void> | void;

/** Writes a graph, after passes, with its weights. */
export async function writeGraph(graph: Graph, options: WriteOptions): Promise<OnnxGraph> {
  const context: WriteContext = {
    ...options,
    graph,
    nodes: [],
    constants: new Map(),
    names: [...valueNames(graph)],
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((id) => context.names[id] as string);
    await (writeRules[node.op] as WriteRule<Op>)(node, inputs, context);
  }
  const last = graph.nodes[graph.logits] as Node;
  let output = context.names[graph.logits] as string;
  if (options.softmax) {
    add(context, { op: 'Softmax', inputs: [output], output: 'probabilities', attributes: { axis: 1 } });
    output = 'probabilities';
  }
  return {
    name: graph.network.name,
    nodes: context.nodes,
    constants: context.constants,
    input: inputValue(graph, options.input),
    outputs: [
      { name: output, type: 'float32', dims: [batchDimension, last.shape[2]] },
      ...(options.classActivation ? [writeClassActivation(context)] : []),
      ...(options.features ? [writeFeatures(context)] : []),
    ],
  };
}

/**
 * Class activation maps (arXiv 1512.04150): the classifier's weights on the grid that is averaged before it, over the number of cells,
 * so that the cells of a class sum up to its logit without the bias.
 * @throws DeployError for a network whose classifier does not read the mean of a grid
 */
function writeClassActivation(writing: WriteContext): OnnxValue {
  const { graph, constants, names } = writing;
  const classifier = graph.nodes[graph.logits] as Node;
  const sourceOf = ({ inputs }: Node): Node => graph.nodes[inputs[0] as number] as Node;
  let pooling = classifier.op === 'linear' ? sourceOf(classifier) : classifier;
  while (pooling.op === 'dropout') pooling = sourceOf(pooling);
  const grid = pooling.op === 'globalAvgPool' ? sourceOf(pooling) : undefined;
  const [height = 1, width = 1] = grid?.shape ?? [];
  if (!grid || height * width === 1)
    throw new DeployError(
      `class activation: expected a classifier that reads the mean of a grid of more than one cell; ${graph.network.name} ${grid ? 'averages a grid of one cell (a larger input has more)' : 'has another one'}`,
    );
  const weight = constants.get(parameterName(classifier, 'weight')) as OnnxTensor;
  const [classes, channels] = weight.dims as [number, number];
  const name = `${classActivationName}/weight`;
  const data = (weight.data as Float32Array).map((value) => value / (height * width));
  constants.set(name, { type: 'float32', dims: [classes, channels, 1, 1], data });
  add(writing, {
    op: 'Conv',
    inputs: [names[grid.id] as string, name],
    output: classActivationName,
    attributes: { kernel_shape: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0] },
  });
  return { name: classActivationName, type: 'float32', dims: [batchDimension, classes, height, width] };
}

/**
 * What the classifier and its hidden layers read, [n, features]. Flattened to a value of its own: that of another node may be an
 * output already.
 * @throws DeployError for a network without a classifier, whose output is that
 */
function writeFeatures(writing: WriteContext): OnnxValue {
  const { graph, names } = writing;
  if (graph.network.classes === 0)
    throw new DeployError(
      `features: ${graph.network.name} has no classifier, so that its features are its output already`,
    );
  const { shape } = graph.nodes[graph.features] as Node;
  const [height, width, channels] = shape;
  add(writing, {
    op: 'Flatten',
    inputs: [names[graph.features] as string],
    output: featuresName,
    attributes: { axis: 1 },
  });
  return { name: featuresName, type: 'float32', dims: [batchDimension, height * width * channels] };
}

export const inputName = 'images';

function inputValue({ network }: Graph, type: ModelInput): OnnxValue {
  const [height, width, channels] = network.input;
  return type === 'uint8'
    ? { name: inputName, type, dims: [batchDimension, height, width, channels] }
    : { name: inputName, type, dims: [batchDimension, channels, height, width] };
}

interface NodeOptions {
  readonly part?: Part;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string | readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** Adds a node, named after its first output. */
function add({ nodes }: WriteContext, { part, op, inputs, output, attributes = {} }: NodeOptions): void {
  const outputs = typeof output === 'string' ? [output] : output;
  nodes.push({ ...(part && { part }), op, name: outputs[0] as string, inputs, outputs, attributes });
}

function constant(
  { constants }: WriteContext,
  name: string,
  { dims, values, part }: { dims: readonly number[]; values: readonly number[]; part?: Part },
): string {
  constants.set(name, { ...(part && { part }), type: 'float32', dims, data: Float32Array.from(values) });
  return name;
}

/** ONNX's order of pads: the beginnings of all axes, then the ends. Includes the padding of a preceding `pad` node. */
function padsOf({ attributes: { padding }, inputs }: Windowed, { graph }: WriteContext): number[] {
  const source = graph.nodes[inputs[0] as number];
  const { before, after } =
    source?.op === 'pad' ? source.attributes : { before: noPadding, after: noPadding };
  return [before, after].flatMap((side) => [side[0] + padding[0], side[1] + padding[1]]);
}

type Windowed = NodeOf<'conv'> | NodeOf<'maxPool'> | NodeOf<'avgPool'>;

const noPadding: Pair = [0, 0];

const nameOf = ({ names }: WriteContext, { id }: Node): string => names[id] as string;

const writeRules: { readonly [K in Op]: WriteRule<K> } = {
  input: (node, _, writing) => {
    if (writing.input === 'uint8') scalePixels(node, writing);
    else writing.names[node.id] = inputName;
  },
  conv: async (node, [input], writing) => {
    const { window, stride, groups } = node.attributes;
    const { weight, bias } = await convolutionWeights(node, writing.read);
    const weightName = parameterName(node, 'weight');
    const filters = node.shape[2];
    const channels = weight.length / filters / (window[0] * window[1]);
    writing.constants.set(weightName, {
      type: 'float32',
      dims: [filters, channels, ...window],
      data: weight,
    });
    const inputs = [input as string, weightName];
    if (bias) {
      const biasName = parameterName(node, 'bias');
      writing.constants.set(biasName, { type: 'float32', dims: [filters], data: bias });
      inputs.push(biasName);
    }
    const attributes = {
      kernel_shape: window,
      strides: [stride, stride],
      pads: padsOf(node, writing),
      ...(groups > 1 && { group: groups }),
    };
    add(writing, { op: 'Conv', inputs, output: nameOf(writing, node), attributes });
  },
  batchNorm: async (node, [input], writing) =>
    writeBatchNorm(node, { input: input as string, output: nameOf(writing, node), writing }),
  relu: (node, inputs, writing) => add(writing, { op: 'Relu', inputs, output: nameOf(writing, node) }),
  // Padding is part of the following window.
  pad: (node, [input], writing) => {
    writing.names[node.id] = input as string;
  },
  maxPool: (node, inputs, writing) => {
    const { window, stride } = node.attributes;
    const attributes = { kernel_shape: window, strides: [stride, stride], pads: padsOf(node, writing) };
    add(writing, { op: 'MaxPool', inputs, output: nameOf(writing, node), attributes });
  },
  avgPool: (node, inputs, writing) => {
    const { window, stride, countPadding } = node.attributes;
    const attributes = {
      kernel_shape: window,
      strides: [stride, stride],
      pads: padsOf(node, writing),
      count_include_pad: countPadding ? 1 : 0,
    };
    add(writing, { op: 'AveragePool', inputs, output: nameOf(writing, node), attributes });
  },
  // From here on values are [n, c].
  globalAvgPool: (node, inputs, writing) => {
    const output = nameOf(writing, node);
    const pooled = `${output}/mean`;
    add(writing, { op: 'GlobalAveragePool', inputs, output: pooled });
    add(writing, { op: 'Flatten', inputs: [pooled], output, attributes: { axis: 1 } });
  },
  concat: (node, inputs, writing) =>
    add(writing, { op: 'Concat', inputs, output: nameOf(writing, node), attributes: { axis: 1 } }),
  slice: (node, [input], writing) => writeSplit(node, input as string, writing),
  scaledAdd: (node, [input, branch], writing) => {
    const { scale } = node.attributes;
    const output = nameOf(writing, node);
    let added = branch as string;
    if (scale !== 1) {
      const factor = constant(writing, `${output}/scale`, { dims: [], values: [scale] });
      added = `${output}/scaled`;
      add(writing, { op: 'Mul', inputs: [branch as string, factor], output: added });
    }
    add(writing, { op: 'Add', inputs: [input as string, added], output });
  },
  // Inference has no dropout: the node's value is its input.
  dropout: (node, [input], writing) => {
    writing.names[node.id] = input as string;
  },
  linear: async (node, [input], writing) => {
    const [member] = node.parameters.members;
    const inputs = [input as string];
    for (const parameter of [member?.weight, member?.bias]) {
      if (!parameter) continue;
      const data = await writing.read(parameter);
      writing.constants.set(parameter.name, { type: 'float32', dims: parameter.shape, data });
      inputs.push(parameter.name);
    }
    add(writing, { op: 'Gemm', inputs, output: nameOf(writing, node), attributes: { transB: 1 } });
  },
};

async function writeBatchNorm(
  node: NodeOf<'batchNorm'>,
  { input, output, writing }: { input: string; output: string; writing: WriteContext },
): Promise<void> {
  const channels = node.shape[2];
  const inputs = [input];
  for (const part of ['gamma', 'beta', 'movingMean', 'movingVariance'] as const) {
    const name = parameterName(node as Node, part);
    const data = new Float32Array(channels).fill(1);
    let offset = 0;
    for (const member of node.parameters.members) {
      const parameter = member[part] as Parameter | undefined;
      // Networks without gamma multiply by one.
      if (!parameter) continue;
      data.set(await writing.read(parameter), offset);
      offset += elementCount(parameter.shape);
    }
    writing.constants.set(name, { type: 'float32', dims: [channels], data });
    inputs.push(name);
  }
  const attributes = { epsilon: { float: node.attributes.epsilon } };
  add(writing, { op: 'BatchNormalization', inputs, output, attributes });
}

/** All slices of one value become one Split, written at the position of the first slice. */
function writeSplit(node: NodeOf<'slice'>, input: string, writing: WriteContext): void {
  const slices = writing.graph.nodes.filter(
    (other) => other.op === 'slice' && other.inputs[0] === node.inputs[0],
  ) as NodeOf<'slice'>[];
  if (slices[0]?.id !== node.id) return;
  const sizes = slices.map(({ attributes: { from, to } }) => BigInt(to - from));
  const name = `${input}/sizes`;
  writing.constants.set(name, { type: 'int64', dims: [sizes.length], data: BigInt64Array.from(sizes) });
  const output = slices.map((sliceNode) => nameOf(writing, sliceNode));
  add(writing, { op: 'Split', inputs: [input, name], output, attributes: { axis: 1 } });
}

/** (x / 255 − mean) / std as a factor and an addend per channel, on planes. */
function scalePixels(node: NodeOf<'input'>, writing: WriteContext): void {
  const { mean, std } = writing.scaling;
  const channels = node.shape[2];
  const perChannel = (value: (channel: number) => number) =>
    Array.from({ length: channels }, (_, channel) => value(channel));
  const dims = [1, channels, 1, 1];
  const part = 'preprocessing';
  const factor = constant(writing, 'preprocessing/factor', {
    dims,
    values: perChannel((channel) => 1 / (255 * (std[channel % std.length] as number))),
    part,
  });
  const addend = constant(writing, 'preprocessing/addend', {
    dims,
    values: perChannel(
      (channel) => -(mean[channel % mean.length] as number) / (std[channel % std.length] as number),
    ),
    part,
  });
  add(writing, {
    part,
    op: 'Transpose',
    inputs: [inputName],
    output: 'preprocessing/planes',
    attributes: { perm: [0, 3, 1, 2] },
  });
  // 1 is float32.
  add(writing, {
    part,
    op: 'Cast',
    inputs: ['preprocessing/planes'],
    output: 'preprocessing/floats',
    attributes: { to: 1 },
  });
  add(writing, { part, op: 'Mul', inputs: ['preprocessing/floats', factor], output: 'preprocessing/scaled' });
  add(writing, { part, op: 'Add', inputs: ['preprocessing/scaled', addend], output: nameOf(writing, node) });
}

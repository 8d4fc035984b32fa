/**
 * Converts a float32 graph to int8 arithmetic, with QuantizeLinear and DequantizeLinear around float operators (QDQ): activations
 * are uint8 with one scale, weights int8 with one scale per filter, biases int32. A runtime with int8 support fuses them; any other
 * computes the same in float.
 */

import { type Int8Ranges, quantisationOf } from '../../../int8/quantisation.ts';
import type { Range } from '../../../int8/range-finding.ts';
import { type OnnxGraph, type OnnxNode, type OnnxTensor, readersOf } from '../../onnx-graph.ts';
import { scaledImages } from '../float16.ts';

/** Operators that compute in 8 bits; pooling to 1×1 and the classifier cost little and stay float32. */
const quantisedOperators: readonly string[] = [
  'Conv',
  'MaxPool',
  'AveragePool',
  'Concat',
  'Add',
  'Relu',
  'Split',
];
/** A ReLU after one of these is fused into it, since zero is uint8's minimum. */
const absorbing: readonly string[] = ['Conv', 'Add', 'AveragePool'];
/** These only move values, so that inputs and outputs share one scale. */
const moving: readonly string[] = ['MaxPool', 'Concat', 'Split'];

export interface QuantisationPlan {
  /** Values that are stored in 8 bits and need a range. */
  readonly values: readonly string[];
  /** For each value the representative of the values that share its range. */
  readonly shared: ReadonlyMap<string, string>;
  readonly nodes: ReadonlySet<OnnxNode>;
}

/**
 * Decides what is quantised. The operators that read the images stay float32: three channels are too few for int8 instructions, which
 * made the first convolution of a small network twice as slow, and quantising the input would lose the most accuracy.
 */
export function planQuantisation(graph: OnnxGraph): QuantisationPlan {
  const readers = readersOf(graph);
  const images = scaledImages(graph);
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const nodes = new Set<OnnxNode>();
  for (const node of graph.nodes) {
    const isFirst = node.part === 'preprocessing' || node.inputs.includes(images);
    const source = producers.get(node.inputs[0] as string);
    // A ReLU is quantised together with its producer.
    const quantisable =
      node.op === 'Relu' && source ? nodes.has(source) : quantisedOperators.includes(node.op);
    if (!isFirst && quantisable) nodes.add(node);
  }
  const isAbsorbed = (value: string): boolean => {
    const [reader, ...otherReaders] = readers.get(value) ?? [];
    const producer = producers.get(value);
    return (
      otherReaders.length === 0 &&
      reader?.op === 'Relu' &&
      producer !== undefined &&
      absorbing.includes(producer.op)
    );
  };
  const isActivation = (value: string) => !graph.constants.has(value);
  const values = new Set<string>();
  for (const node of nodes) {
    for (const value of [...node.inputs, ...node.outputs])
      if (isActivation(value) && !isAbsorbed(value)) values.add(value);
  }
  return { values: [...values], shared: sharedRanges(nodes, values), nodes };
}

function sharedRanges(nodes: ReadonlySet<OnnxNode>, values: ReadonlySet<string>): Map<string, string> {
  const parent = new Map<string, string>([...values].map((value) => [value, value]));
  const root = (value: string): string => {
    const parentValue = parent.get(value) as string;
    return parentValue === value ? value : root(parentValue);
  };
  for (const node of nodes) {
    if (!moving.includes(node.op)) continue;
    const [first, ...others] = [...node.inputs, ...node.outputs].filter((value) => values.has(value));
    for (const value of others) parent.set(root(value), root(first as string));
  }
  return new Map([...values].map((value) => [value, root(value)]));
}

/** Rewrites a graph by a plan and the range of every value. */
export function quantise(
  graph: OnnxGraph,
  { plan, ranges }: { plan: QuantisationPlan; ranges: ReadonlyMap<string, Range> },
): OnnxGraph {
  const constants = new Map(graph.constants);
  const nodes: OnnxNode[] = [];
  const scales = new Map<string, number>();
  const quantised = new Set(plan.values);
  const ranges8bit = unionsOf(plan, ranges);
  const quantiseValue = (value: string): void => {
    const { scale, zeroPoint } = quantisationOf(ranges8bit.get(plan.shared.get(value) as string) as Range);
    scales.set(value, scale);
    constants.set(`${value}/scale`, { type: 'float32', dims: [], data: Float32Array.of(scale) });
    constants.set(`${value}/zeroPoint`, { type: 'uint8', dims: [], data: Uint8Array.of(zeroPoint) });
    nodes.push(
      linear('QuantizeLinear', { source: value, scaleOf: value, target: `${value}/quantised` }),
      linear('DequantizeLinear', {
        source: `${value}/quantised`,
        scaleOf: value,
        target: `${value}/dequantised`,
      }),
    );
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((value) => (quantised.has(value) ? `${value}/dequantised` : value));
    if (node.op === 'Conv' && plan.nodes.has(node)) {
      const [input, weight, bias] = node.inputs as [string, string, string | undefined];
      const weightScales = quantiseWeight(constants, {
        weight,
        bias,
        inputScale: scales.get(input) as number,
      });
      nodes.push(
        linear('DequantizeLinear', {
          source: weight,
          scaleOf: weight,
          target: `${weight}/dequantised`,
          axis: 0,
        }),
      );
      inputs[1] = `${weight}/dequantised`;
      if (bias) {
        quantiseBias(constants, { bias, scales: weightScales, inputScale: scales.get(input) as number });
        nodes.push(
          linear('DequantizeLinear', { source: bias, scaleOf: bias, target: `${bias}/dequantised`, axis: 0 }),
        );
        inputs[2] = `${bias}/dequantised`;
      }
    }
    nodes.push({ ...node, inputs });
    for (const value of node.outputs) if (quantised.has(value)) quantiseValue(value);
  }
  return { ...graph, nodes, constants };
}

/** Rewrites a graph by the ranges of an int8 model. @throws Error for a value without a range: they are those of another network */
export const quantiseByRanges = (graph: OnnxGraph, ranges: Int8Ranges['ranges']): OnnxGraph =>
  quantise(graph, {
    plan: planQuantisation(graph),
    ranges: new Map(Object.entries(ranges).map(([name, [low, high]]) => [name, { low, high }])),
  });

const linear = (
  op: 'QuantizeLinear' | 'DequantizeLinear',
  { source, scaleOf, target, axis }: { source: string; scaleOf: string; target: string; axis?: number },
): OnnxNode => ({
  op,
  name: target,
  inputs: [source, `${scaleOf}/scale`, `${scaleOf}/zeroPoint`],
  outputs: [target],
  attributes: axis === undefined ? {} : { axis },
});

/** The range of every value, where values that share one have the union of theirs. */
export function sharedRangesOf(
  plan: QuantisationPlan,
  ranges: ReadonlyMap<string, Range>,
): ReadonlyMap<string, Range> {
  const unions = unionsOf(plan, ranges);
  return new Map(plan.values.map((value) => [value, unions.get(plan.shared.get(value) as string) as Range]));
}

/** Merges the ranges of values that share one. */
function unionsOf(
  { values, shared }: QuantisationPlan,
  ranges: ReadonlyMap<string, Range>,
): Map<string, Range> {
  const unions = new Map<string, Range>();
  for (const value of values) {
    const root = shared.get(value) as string;
    const range = ranges.get(value);
    if (!range) throw new Error(`quantisation: '${value}' has no range`);
    const { low, high } = unions.get(root) ?? { low: 0, high: 0 };
    unions.set(root, { low: Math.min(low, range.low), high: Math.max(high, range.high) });
  }
  return unions;
}

function floats(constants: ReadonlyMap<string, OnnxTensor>, name: string): Float32Array {
  const tensor = constants.get(name);
  if (tensor?.type !== 'float32') throw new Error(`quantisation: expected '${name}' in float32`);
  return tensor.data as Float32Array;
}

/**
 * The largest sum of two neighbouring weights of one sign in a filter [in, …], in the order in which processors read them: channels
 * innermost. Those without VNNI add the products of two bytes in 16 bits, and their kernels saturate beyond 255 · 128: where no two weights add
 * up to more, all processors give the same numbers.
 */
function largestPair(filter: Float32Array, channels: number): number {
  const positions = filter.length / channels;
  let [largest, above, below] = [0, 0, 0];
  for (let position = 0; position < positions; position++) {
    for (let channel = 0; channel < channels; channel++) {
      const value = filter[channel * positions + position] as number;
      const [positive, negative] = [Math.max(value, 0), Math.max(-value, 0)];
      largest = Math.max(largest, positive + above, negative + below);
      [above, below] = [positive, negative];
    }
  }
  return largest;
}

/** Replaces a weight [out, …] by int8 with one scale per filter. Returns the scales. */
function quantiseWeight(
  constants: Map<string, OnnxTensor>,
  { weight, bias, inputScale }: { weight: string; bias: string | undefined; inputScale: number },
): Float32Array {
  const values = floats(constants, weight);
  const biases = bias === undefined ? undefined : floats(constants, bias);
  const { dims } = constants.get(weight) as OnnxTensor;
  const filters = dims[0] as number;
  const length = values.length / filters;
  const data = new Int8Array(values.length);
  const scales = new Float32Array(filters);
  for (let filter = 0; filter < filters; filter++) {
    const largest = largestPair(values.subarray(filter * length, (filter + 1) * length), dims[1] as number);
    // The bias of a filter with tiny weights must still fit into int32.
    const minScale = Math.abs(biases?.[filter] ?? 0) / inputScale / 2 ** 30;
    scales[filter] = Math.max(largest / 127, minScale) || 1;
    const scale = scales[filter] as number;
    for (let index = filter * length; index < (filter + 1) * length; index++)
      data[index] = Math.round((values[index] as number) / scale);
  }
  constants.set(weight, { type: 'int8', dims, data });
  constants.set(`${weight}/scale`, { type: 'float32', dims: [filters], data: scales });
  constants.set(`${weight}/zeroPoint`, { type: 'int8', dims: [filters], data: new Int8Array(filters) });
  return scales;
}

/** Replaces a bias by int32, in units of the products that it is added to. */
function quantiseBias(
  constants: Map<string, OnnxTensor>,
  { bias, scales, inputScale }: { bias: string; scales: Float32Array; inputScale: number },
): void {
  const values = floats(constants, bias);
  const products = scales.map((scale) => scale * inputScale);
  const data = Int32Array.from(values, (value, filter) => Math.round(value / (products[filter] as number)));
  const dims = [values.length];
  constants.set(bias, { type: 'int32', dims, data });
  constants.set(`${bias}/scale`, { type: 'float32', dims, data: products });
  constants.set(`${bias}/zeroPoint`, { type: 'int32', dims, data: new Int32Array(values.length) });
}

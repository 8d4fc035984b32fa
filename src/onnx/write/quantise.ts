/**
 * A float32 graph becomes one for int8 arithmetic, as QuantizeLinear and DequantizeLinear around float operators (QDQ):
 * activations as uint8 with one scale, weights as int8 with one scale for each filter, biases as int32. A runtime that
 * knows int8 joins them; any other computes the same in float.
 */
import { scaledImages } from './float16.ts';
import { type OnnxGraph, type OnnxNode, type OnnxTensor, readersOf } from './onnx-graph.ts';
import type { Range } from './range-finding.ts';

/** Operators that compute on 8 bits; pooling to 1×1 and the classifier cost little and stay float32. */
const quantisedOperators: readonly string[] = [
  'Conv',
  'MaxPool',
  'AveragePool',
  'Concat',
  'Add',
  'Relu',
  'Split',
];
/** A ReLU behind one of these is part of it: its zero is the smallest number of uint8. */
const absorbing: readonly string[] = ['Conv', 'Add', 'AveragePool'];
/** These move numbers without computing, so that what goes in and what comes out have one scale. */
const moving: readonly string[] = ['MaxPool', 'Concat', 'Split'];

export interface QuantisationPlan {
  /** Values that are held as 8 bits, and need a range. */
  readonly values: readonly string[];
  /** For each of them the value whose range it shares, or itself. */
  readonly shared: ReadonlyMap<string, string>;
  readonly nodes: ReadonlySet<OnnxNode>;
}

/**
 * Says what will be quantised. What reads the images stays float32: three channels are too few for int8 instructions, which
 * made the first convolution of a small network twice as slow, and its input would lose the most.
 */
export function planQuantisation(graph: OnnxGraph): QuantisationPlan {
  const readers = readersOf(graph);
  const images = scaledImages(graph);
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const nodes = new Set<OnnxNode>();
  for (const node of graph.nodes) {
    const isFirst = node.part === 'preprocessing' || node.inputs.includes(images);
    const source = producers.get(node.inputs[0] as string);
    // A ReLU goes with what it belongs to.
    const fits = node.op === 'Relu' && source ? nodes.has(source) : quantisedOperators.includes(node.op);
    if (!isFirst && fits) nodes.add(node);
  }
  const isAbsorbed = (value: string): boolean => {
    const [reader, ...others] = readers.get(value) ?? [];
    const producer = producers.get(value);
    return (
      others.length === 0 &&
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
    const above = parent.get(value) as string;
    return above === value ? value : root(above);
  };
  for (const node of nodes) {
    if (!moving.includes(node.op)) continue;
    const [first, ...rest] = [...node.inputs, ...node.outputs].filter((value) => values.has(value));
    for (const value of rest) parent.set(root(value), root(first as string));
  }
  return new Map([...values].map((value) => [value, root(value)]));
}

/** Rewrites a graph by a plan and the range of every value in it. */
export function quantise(
  graph: OnnxGraph,
  { plan, ranges }: { plan: QuantisationPlan; ranges: ReadonlyMap<string, Range> },
): OnnxGraph {
  const constants = new Map(graph.constants);
  const nodes: OnnxNode[] = [];
  const scales = new Map<string, number>();
  const held = new Set(plan.values);
  const together = unionsOf(plan, ranges);
  const hold = (value: string): void => {
    const { scale, zeroPoint } = stepsIn(together.get(plan.shared.get(value) as string) as Range);
    scales.set(value, scale);
    constants.set(`${value}/scale`, { type: 'float32', dims: [], data: Float32Array.of(scale) });
    constants.set(`${value}/zeroPoint`, { type: 'uint8', dims: [], data: Uint8Array.of(zeroPoint) });
    nodes.push(
      linear('QuantizeLinear', { from: value, by: value, to: `${value}/quantised` }),
      linear('DequantizeLinear', { from: `${value}/quantised`, by: value, to: `${value}/dequantised` }),
    );
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((value) => (held.has(value) ? `${value}/dequantised` : value));
    if (node.op === 'Conv' && plan.nodes.has(node)) {
      const [input, weight, bias] = node.inputs as [string, string, string | undefined];
      const weightScales = quantiseWeight(constants, {
        weight,
        bias,
        inputScale: scales.get(input) as number,
      });
      nodes.push(
        linear('DequantizeLinear', { from: weight, by: weight, to: `${weight}/dequantised`, axis: 0 }),
      );
      inputs[1] = `${weight}/dequantised`;
      if (bias) {
        quantiseBias(constants, { bias, scales: weightScales, inputScale: scales.get(input) as number });
        nodes.push(linear('DequantizeLinear', { from: bias, by: bias, to: `${bias}/dequantised`, axis: 0 }));
        inputs[2] = `${bias}/dequantised`;
      }
    }
    nodes.push({ ...node, inputs });
    for (const value of node.outputs) if (held.has(value)) hold(value);
  }
  return { ...graph, nodes, constants };
}

const linear = (
  op: 'QuantizeLinear' | 'DequantizeLinear',
  { from, by, to, axis }: { from: string; by: string; to: string; axis?: number },
): OnnxNode => ({
  op,
  name: to,
  inputs: [from, `${by}/scale`, `${by}/zeroPoint`],
  outputs: [to],
  attributes: axis === undefined ? {} : { axis },
});

/** The ranges of values that share one are put together. */
function unionsOf(
  { values, shared }: QuantisationPlan,
  ranges: ReadonlyMap<string, Range>,
): Map<string, Range> {
  const unions = new Map<string, Range>();
  for (const value of values) {
    const root = shared.get(value) as string;
    const own = ranges.get(value);
    if (!own) throw new Error(`quantisation: '${value}' has no range`);
    const { low, high } = unions.get(root) ?? { low: 0, high: 0 };
    unions.set(root, { low: Math.min(low, own.low), high: Math.max(high, own.high) });
  }
  return unions;
}

/** uint8's scale and the step that is zero. */
export function stepsIn({ low, high }: Range): { scale: number; zeroPoint: number } {
  const scale = Math.fround((high - low) / 255);
  // A value that is always zero.
  if (scale === 0) return { scale: 1, zeroPoint: 0 };
  return { scale, zeroPoint: Math.min(Math.max(Math.round(-low / scale), 0), 255) };
}

function floats(constants: ReadonlyMap<string, OnnxTensor>, name: string): Float32Array {
  const tensor = constants.get(name);
  if (tensor?.type !== 'float32') throw new Error(`quantisation: expected '${name}' in float32`);
  return tensor.data as Float32Array;
}

/** Replaces a weight [out, …] by int8, one scale for each filter. Returns the scales. */
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
    let largest = 0;
    for (let at = filter * length; at < (filter + 1) * length; at++)
      largest = Math.max(largest, Math.abs(values[at] as number));
    // A filter of almost nothing with a bias: the bias must still fit into int32.
    const least = Math.abs(biases?.[filter] ?? 0) / inputScale / 2 ** 30;
    scales[filter] = Math.max(largest / 127, least) || 1;
    const scale = scales[filter] as number;
    for (let at = filter * length; at < (filter + 1) * length; at++)
      data[at] = Math.round((values[at] as number) / scale);
  }
  constants.set(weight, { type: 'int8', dims, data });
  constants.set(`${weight}/scale`, { type: 'float32', dims: [filters], data: scales });
  constants.set(`${weight}/zeroPoint`, { type: 'int8', dims: [filters], data: new Int8Array(filters) });
  return scales;
}

/** Replaces a bias by int32 in steps of the products that it is added to. */
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

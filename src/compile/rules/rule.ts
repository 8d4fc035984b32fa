/** Lowering rules: how one operation of the graph is computed, and how its gradients follow from its result's gradient. */
import type { Graph, Node, NodeOf, Op, Parameter } from '../../graph/graph.ts';
import type { Emitter } from '../emitter.ts';
import { mergedName } from '../layout.ts';
import type { ImageType, Precision, Scaling } from '../options.ts';
import type { Value } from '../program.ts';

/** What the rules need besides their node. */
export interface Lowering {
  readonly emitter: Emitter;
  readonly graph: Graph;
  readonly batch: number;
  readonly precision: Precision;
  readonly images: ImageType;
  readonly scaling: Scaling;
  /** Whether to normalise by the batch's statistics (training) or by the moving ones. */
  readonly batchStatistics: boolean;
  readonly batchNormMomentum: number;
  /** Processes whose batches are normalised by their common statistics; 1: each by its own. */
  readonly normalisedTogether: number;
  readonly dropout: boolean;
  /**
   * Whether the store holds convolution parameters in the program's precision and accepts their gradients in any.
   * Otherwise both are float32, and a rule that computes in another precision rounds them.
   */
  readonly roundedParameters: boolean;
  /** The stored name of a parameter: training and inference keep different copies. */
  readonly stored: (name: string, node: Node, parameter: Parameter) => string;
}

/** The inputs of each operation. */
export interface Inputs {
  readonly input: readonly [];
  /** `sum` is added to the result, where a pass has fused a sum into the convolution. */
  readonly conv: readonly [Value, sum?: Value];
  readonly batchNorm: readonly [Value];
  readonly relu: readonly [Value];
  readonly pad: readonly [Value];
  readonly maxPool: readonly [Value];
  readonly avgPool: readonly [Value];
  readonly globalAvgPool: readonly [Value];
  readonly concat: readonly Value[];
  readonly slice: readonly [Value];
  readonly scaledAdd: readonly [input: Value, branch: Value];
  readonly dropout: readonly [Value];
  readonly linear: readonly [Value];
}

/** A gradient that is zero outside the channels `from` (inclusive) to `to`. */
export interface Part {
  readonly value: Value;
  readonly from: number;
  readonly to: number;
}

export interface Gradients {
  /** Gradients of the inputs, in order; null where none was requested. */
  readonly inputs: readonly (Value | Part | null)[];
  /** Gradients of the node's parameters, by part. */
  readonly parameters?: Readonly<Record<string, Value>>;
}

/** A node's result. */
export interface Result {
  readonly value: Value;
}

/** A node's result, with a closure that computes the gradients of its inputs and parameters. */
export interface Lowered extends Result {
  /** @param needsInput whether the gradient of the input is needed. */
  readonly gradients: (gradient: Value, needsInput: boolean) => Gradients;
}

export type Rule<K extends Op, R extends Result = Lowered> = (
  node: NodeOf<K>,
  inputs: Inputs[K],
  lowering: Lowering,
) => R;

/** A rule for every operation. */
export type Rules<R extends Result = Lowered> = { readonly [K in Op]: Rule<K, R> };

/** Rules that override some operations; where one returns undefined, the rule below applies. */
export type Overlay<R extends Result = Lowered> = {
  readonly [K in Op]?: (...args: Parameters<Rule<K, R>>) => R | undefined;
};

export function lay<R extends Result>(overlay: Overlay<R>, rules: Rules<R>): Rules<R> {
  const overridden = Object.entries(overlay).map(([op, rule]) => {
    const below = rules[op as Op] as Rule<Op, R>;
    return [op, (...args: Parameters<Rule<Op, R>>) => (rule as typeof below)(...args) ?? below(...args)];
  });
  return { ...rules, ...Object.fromEntries(overridden) };
}

/** One part of the parameters of all members of a node, which are adjacent in memory. */
export const membersOf = (node: Node, part: string): readonly Parameter[] =>
  node.parameters.members.map((member) => (member as Record<string, Parameter>)[part] as Parameter);

/** The stored tensor of one part of a node's parameters. */
export function parameterOf(node: Node, part: string, { emitter, stored }: Lowering): Value {
  const members = membersOf(node, part);
  return emitter.load(stored(mergedName(members), node, members[0] as Parameter));
}

/** The shape [n, c, h, w] of a node's result. */
export const sizesOf = ({ shape: [height, width, channels] }: Node, batch: number): readonly number[] => [
  batch,
  channels,
  height,
  width,
];

/** The shape [n, c, h, w] of a node's first input. */
export const inputSizes = (node: Node, { batch, graph }: Lowering): readonly number[] =>
  sizesOf(graph.nodes[node.inputs[0] as number] as Node, batch);

export const toPrecision = (emitter: Emitter, value: Value, precision: Precision): Value =>
  precision === 'float32' ? value : emitter.call('aten::_to_copy', [value], { dtype: { dtype: precision } });

export const channelsLast = { memory_format: { memoryFormat: 'channelsLast' } } as const;

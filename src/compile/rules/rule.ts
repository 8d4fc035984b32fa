/** What a rule of lowering is: how one operation of the graph is computed, and from its result's gradient those before it. */
import type { Graph, Node, NodeOf, Op, Parameter } from '../../graph/graph.ts';
import type { Emitter } from '../emitter.ts';
import { mergedName } from '../layout.ts';
import type { ImageType, Precision, Scaling } from '../options.ts';
import type { Value } from '../program.ts';

/** What the rules know besides their node. */
export interface Lowering {
  readonly emitter: Emitter;
  readonly graph: Graph;
  readonly batch: number;
  readonly precision: Precision;
  readonly images: ImageType;
  readonly scaling: Scaling;
  /** Statistics of the batch (training) or the moving ones. */
  readonly batchStatistics: boolean;
  readonly batchNormMomentum: number;
  readonly dropout: boolean;
  /**
   * Whether the store has convolutions' parameters in the program's precision, and takes their gradients in any: otherwise
   * both are float32, and whoever computes in another precision rounds.
   */
  readonly roundedParameters: boolean;
  /** The stored name for a parameter's name: training and inference keep different copies. */
  readonly stored: (name: string, node: Node, parameter: Parameter) => string;
}

/** What each operation reads. */
export interface Inputs {
  readonly input: readonly [];
  /** With what is added to its result, where a pass has moved a sum in. */
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
  /** Of the inputs, in their order; null where none was asked for. */
  readonly inputs: readonly (Value | Part | null)[];
  /** Of the node's own parameters, by part. */
  readonly parameters?: Readonly<Record<string, Value>>;
}

/** A node's result. */
export interface Result {
  readonly value: Value;
}

/** A node's result, and how the gradients before it follow from its own: what that needs to know, it has kept. */
export interface Lowered extends Result {
  /** @param needsInput whether anything before the node can be trained. */
  readonly gradients: (gradient: Value, needsInput: boolean) => Gradients;
}

export type Rule<K extends Op, R extends Result = Lowered> = (
  node: NodeOf<K>,
  inputs: Inputs[K],
  lowering: Lowering,
) => R;

/** A rule for every operation. */
export type Rules<R extends Result = Lowered> = { readonly [K in Op]: Rule<K, R> };

/** Other rules for some operations; where one gives nothing, the rule below it applies. */
export type Overlay<R extends Result = Lowered> = {
  readonly [K in Op]?: (...args: Parameters<Rule<K, R>>) => R | undefined;
};

export function lay<R extends Result>(overlay: Overlay<R>, rules: Rules<R>): Rules<R> {
  const laid = Object.entries(overlay).map(([op, over]) => {
    const below = rules[op as Op] as Rule<Op, R>;
    return [op, (...args: Parameters<Rule<Op, R>>) => (over as typeof below)(...args) ?? below(...args)];
  });
  return { ...rules, ...Object.fromEntries(laid) };
}

/** The parameters of all members of a node, which lie side by side. */
export const membersOf = (node: Node, part: string): readonly Parameter[] =>
  node.parameters.members.map((member) => (member as Record<string, Parameter>)[part] as Parameter);

/** The stored tensor of one part of a node's parameters. */
export function parameterOf(node: Node, part: string, { emitter, stored }: Lowering): Value {
  const members = membersOf(node, part);
  return emitter.load(stored(mergedName(members), node, members[0] as Parameter));
}

/** [n, c, h, w] of a node's result. */
export const sizesOf = ({ shape: [height, width, channels] }: Node, batch: number): readonly number[] => [
  batch,
  channels,
  height,
  width,
];

/** Of what a node reads. */
export const inputSizes = (node: Node, { batch, graph }: Lowering): readonly number[] =>
  sizesOf(graph.nodes[node.inputs[0] as number] as Node, batch);

export const toPrecision = (emitter: Emitter, from: Value, precision: Precision): Value =>
  precision === 'float32' ? from : emitter.call('aten::_to_copy', [from], { dtype: { dtype: precision } });

export const channelsLast = { memory_format: { memoryFormat: 'channelsLast' } } as const;

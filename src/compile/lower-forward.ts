/** Lowers the forward pass: each node by its rule, in order. */
import type { Graph, Op } from '../graph/graph.ts';
import type { Emitter } from './emitter.ts';
import { type InferenceOptions, inceptionScaling } from './options.ts';
import type { Value } from './program.ts';
import { type Lowering, type Result, type Rule, type Rules, sizesOf } from './rules/rule.ts';

/** A graph's lowering as in evaluation: by the moving statistics, without dropout. Training says what is different. */
export const evaluationLowering = (
  emitter: Emitter,
  graph: Graph,
  { batch, precision, images = 'uint8', scaling = inceptionScaling }: ImageOptions,
): Omit<Lowering, 'roundedParameters' | 'stored'> => ({
  emitter,
  graph,
  batch,
  // What is not int8 there is float32.
  precision: precision === 'int8' ? 'float32' : precision,
  images,
  scaling,
  batchStatistics: false,
  batchNormMomentum: 0,
  normalisedTogether: 1,
  dropout: false,
});

type ImageOptions = Pick<InferenceOptions, 'batch' | 'precision' | 'images' | 'scaling'>;

/** The result of each node, by node id. */
export function lowerForward<R extends Result>(lowering: Lowering, rules: Rules<R>): readonly R[] {
  const { emitter, graph, batch } = lowering;
  const lowered: R[] = [];
  const resultOf = (id: number): Value => (lowered[id] as R).value;
  for (const node of graph.nodes) {
    emitter.layer = node.path;
    const rule = rules[node.op] as Rule<Op, R>;
    const result = rule(node, node.inputs.map(resultOf) as unknown as Parameters<typeof rule>[1], lowering);
    emitter.describe(result.value, sizesOf(node, batch));
    lowered.push(result);
  }
  return lowered;
}

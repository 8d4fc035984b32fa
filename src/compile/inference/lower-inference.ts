/** Lowers a graph with the moving statistics, after the inference passes: of predictions, and of a training's frozen parts. */
import type { Graph, Node, Parameter } from '../../graph/graph.ts';
import type { Emitter } from '../emitter.ts';
import { evaluationLowering, lowerForward } from '../lower-forward.ts';
import type { InferenceOptions, Kernels } from '../options.ts';
import { aten } from '../rules/aten.ts';
import { native } from '../rules/native.ts';
import { nativeInference } from '../rules/native-inference.ts';
import { lay, type Result, type Rules } from '../rules/rule.ts';
import { lowerInt8 } from './int8/lower-int8.ts';
import { preparedName, sourceName } from './prepare.ts';

const rulesOf: Readonly<Record<Kernels, Rules<Result>>> = {
  aten,
  native: lay<Result>(nativeInference, lay(native, aten)),
};

/** The result of each node, by node id. Reads what the graph's preparation stores. */
export function lowerInference(emitter: Emitter, graph: Graph, options: InferenceOptions): readonly Result[] {
  const { kernels = 'native' } = options;
  const lowering = {
    ...evaluationLowering(emitter, graph, options),
    roundedParameters: true,
    stored: (name: string, node: Node, parameter: Parameter) =>
      node.op === 'conv' ? preparedName(name, options) : sourceName({ ...parameter, name }, options),
  };
  const rules = rulesOf[kernels];
  return options.precision === 'int8' ? lowerInt8(lowering, rules) : lowerForward(lowering, rules);
}

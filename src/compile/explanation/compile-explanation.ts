/**
 * Compiles the gradient of logits with respect to a part of the network or to its input: what explanations of a prediction are
 * made of. Batch normalisation uses the moving statistics, nothing is dropped, and no parameter gets a gradient.
 */
import type { Graph, Node } from '../../graph/graph.ts';
import { checkOptions } from '../../option.ts';
import { runPasses } from '../../passes/pass.ts';
import { CompileError } from '../compile-error.ts';
import { Emitter } from '../emitter.ts';
import { endpointIds } from '../endpoints.ts';
import { flatTensor, frozenTensors, layOut, statisticsTensors } from '../layout.ts';
import { evaluationLowering, lowerForward } from '../lower-forward.ts';
import type { InferenceOptions, Kernels } from '../options.ts';
import { checkProgram, type Program, type StoreSpec, type Value } from '../program.ts';
import { finish } from '../program-passes/finish/finish.ts';
import { aten } from '../rules/aten.ts';
import { native } from '../rules/native.ts';
import { channelsLast, type Lowered, type Lowering, lay, type Rules, sizesOf } from '../rules/rule.ts';
import { stepNumbers } from '../step-numbers.ts';
import { lowerGradientOf } from '../training/lower-backward.ts';
import { explanationGraphPasses, explanationProgramPasses } from './explanation-passes.ts';

/** How an explanation is compiled; always in float32. */
export interface ExplanationOptions
  extends Pick<InferenceOptions, 'batch' | 'images' | 'scaling' | 'kernels' | 'passes'> {
  /** The part whose result the gradient is taken of. Default: the scaled input. */
  readonly endpoint?: string;
  /** The part that is explained instead of the logits. */
  readonly of?: string;
}

/**
 * Inputs: `images`, and `logitWeights`, float32 [n, classes]: the gradient is that of each row's sum(logits · logitWeights), so
 * that 1 for a class and 0 elsewhere explains that class. Outputs, all float32: `logits` and `probabilities` [n, classes],
 * `activation` and `gradient` [n, c, h, w] of the part or of the scaled input. With `of` there are no logits and probabilities, and
 * the weights of that part's values are the input `partWeights`, float32 [n, c, h, w].
 */
export interface CompiledExplanation {
  /** The parameters and statistics; a store of inference or training has them too. */
  readonly store: StoreSpec;
  readonly explain: Program;
}

const rulesOf: Readonly<Record<Kernels, Rules>> = { aten, native: lay(native, aten) };

/** @throws CompileError for a network without a classifier, an endpoint that does not exist or that no logit depends on. */
export function compileExplanation(network: Graph, options: ExplanationOptions): CompiledExplanation {
  const { batch, kernels = 'native', endpoint, of, passes: choices } = options;
  const { classes, name } = network.network;
  checkOptions({ batch: stepNumbers.batch }, { batch }, { what: 'option', Failure: CompileError });
  if (classes === 0 && of === undefined)
    throw new CompileError(`${name} has no classifier to explain (classes: 0)`);
  const graph = runPasses(network, explanationGraphPasses, { context: undefined, choices });
  const target = targetOf(graph, endpoint);
  const emitter = new Emitter();
  const lowering: Lowering = {
    ...evaluationLowering(emitter, graph, { ...options, precision: 'float32' }),
    roundedParameters: false,
    stored: (parameter) => parameter,
  };
  const lowered = lowerForward(lowering, rulesOf[kernels]);
  const resultOf = (id: number): Value => (lowered[id] as Lowered).value;
  /** A copy in memory of its own: later steps may write over a value that is read no more. */
  const output = (as: string, value: Value) =>
    emitter.output(as, emitter.call('aten::_to_copy', [value], { dtype: { dtype: 'float32' } }));
  const explained = of === undefined ? graph.logits : targetOf(graph, of);
  if (of === undefined) {
    emitter.layer = 'probabilities';
    const logits = resultOf(graph.logits);
    emitter.output('logits', logits);
    emitter.output('probabilities', emitter.call('aten::_softmax', [logits, 1, false]));
  }
  output('activation', resultOf(target));
  const seed =
    of === undefined
      ? emitter.input('logitWeights', 'float32', [batch, classes])
      : emitter.call(
          'aten::clone',
          [emitter.input('partWeights', 'float32', sizesOf(graph.nodes[explained] as Node, batch))],
          channelsLast,
        );
  const seeds = new Map([[explained, seed]]);
  const gradient = lowerGradientOf(target, lowering, { lowered, seeds });
  if (!gradient)
    throw new CompileError(`no ${of ?? 'logit'} of ${name} depends on '${endpoint ?? 'the input'}'`);
  emitter.layer = 'explanation';
  output('gradient', gradient);
  const draft = emitter.draft(`${name} explain batch ${batch}`);
  const explain = finish(runPasses(draft, explanationProgramPasses, { context: undefined, choices }));
  const store = parameterStore(network);
  checkProgram(explain, store);
  return { store, explain };
}

function targetOf(graph: Graph, endpoint: string | undefined): number {
  if (endpoint === undefined) return (graph.nodes.find(({ op }) => op === 'input') as Node).id;
  const [id] = endpointIds(graph, [endpoint]).values();
  return id as number;
}

function parameterStore(network: Graph): StoreSpec {
  const layout = layOut(network);
  const { trainable, trainableLength: length } = layout;
  const parts = [
    flatTensor(trainable, { kind: 'weights', prefix: '', dtype: 'float32', length }),
    ...statisticsTensors(layout),
    ...frozenTensors(layout),
  ];
  return {
    tensors: parts.flatMap(({ tensors }) => tensors),
    views: parts.flatMap(({ views }) => views),
  };
}

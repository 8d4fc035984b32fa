/** Compiles a graph to two programs: `prepare` folds and packs the parameters once, `predict` runs a batch. */
import type { Graph } from '../../graph/graph.ts';
import { checkOptions } from '../../option.ts';
import { runPasses } from '../../passes/pass.ts';
import { CompileError } from '../compile-error.ts';
import { Emitter } from '../emitter.ts';
import { endpointIds, returnEndpoints, returnSummaries } from '../endpoints.ts';
import { flatTensor, frozenTensors, layOut, statisticsTensors } from '../layout.ts';
import type { CompiledInference, InferenceOptions } from '../options.ts';
import { checkProgram, type Program, type StoreSpec } from '../program.ts';
import { finish } from '../program-passes/finish/finish.ts';
import type { Result } from '../rules/rule.ts';
import { stepNumbers } from '../step-numbers.ts';
import { inferenceGraphPasses, inferenceProgramPasses } from './inference-passes.ts';
import { lowerInference } from './lower-inference.ts';
import { compilePreparation, storedNames } from './prepare.ts';

/**
 * Compiles inference with the moving statistics.
 * @throws CompileError for an endpoint that does not exist, or that has the name of another output.
 */
export function compileInference(network: Graph, options: InferenceOptions): CompiledInference {
  const { batch, precision, kernels = 'native', passes: choices } = options;
  checkOptions({ batch: stepNumbers.batch }, { batch }, { what: 'option', Failure: CompileError });
  checkInt8(options);
  const { endpoints: returned = [], summaries = { norms: [], zeros: [] } } = options;
  const named = [...new Set([...returned, ...summaries.norms, ...summaries.zeros])];
  const context = { native: kernels === 'native', endpoints: named, ranges: rangesFor(options) };
  const graph = runPasses(network, inferenceGraphPasses, { context, choices });
  const endpoints = endpointIds(
    graph,
    returned.filter((name) => !isOutput(graph, name)),
  );
  const prepare = compilePreparation(graph, options);
  const store = inferenceStore(network, prepare, options);
  const emitter = new Emitter();
  const lowered = lowerInference(emitter, graph, options);
  returnEndpoints(emitter, endpoints, lowered);
  returnSummaries(emitter, graph, { lowered, summaries });
  const last = (lowered[graph.logits] as Result).value;
  emitter.output('features', (lowered[graph.features] as Result).value);
  if (graph.network.classes > 0) {
    emitter.layer = 'probabilities';
    emitter.output('logits', last);
    emitter.output('probabilities', emitter.call('aten::_softmax', [last, 1, false]));
  }
  const draft = emitter.draft(`${network.network.name} infer batch ${batch} ${precision}`);
  const predict = finish(runPasses(draft, inferenceProgramPasses, { context: undefined, choices }));
  checkProgram(prepare, store);
  checkProgram(predict, store);
  return { store, prepare, predict };
}

/** Other precisions of an int8 model need no ranges. */
const rangesFor = ({ precision, ranges }: InferenceOptions) => (precision === 'int8' ? ranges : undefined);

function checkInt8({ precision, ranges, kernels = 'native' }: InferenceOptions): void {
  if (precision !== 'int8') return;
  if (kernels !== 'native')
    throw new CompileError(
      `precision: int8 needs the native kernels of the CPU; expected float32 or bfloat16 with kernels '${kernels}'`,
    );
  if (!ranges)
    throw new CompileError('precision: int8 needs the ranges of the activations; expected `ranges`');
}

/** Whether the program returns this endpoint anyway, as it does `logits`. */
function isOutput(graph: Graph, endpoint: string): boolean {
  const id = graph.endpoints.get(endpoint);
  if (id === undefined || !['features', 'logits', 'probabilities'].includes(endpoint)) return false;
  if (endpoint === 'logits' && id === graph.logits && graph.network.classes > 0) return true;
  throw new CompileError(
    `the endpoint '${endpoint}' has the name of an output of every prediction; give the layer another name`,
  );
}

function inferenceStore(network: Graph, prepare: Program, options: InferenceOptions): StoreSpec {
  const layout = layOut(network);
  const { trainable, trainableLength: length } = layout;
  const { parameters = 'weights' } = options;
  const parts = [
    flatTensor(trainable, { kind: 'weights', prefix: '', dtype: 'float32', length }),
    ...statisticsTensors(layout),
    ...frozenTensors(layout),
    ...(parameters === 'averages'
      ? [flatTensor(trainable, { kind: 'averages', prefix: 'averages/', dtype: 'float32', length })]
      : []),
  ];
  return {
    tensors: parts.flatMap(({ tensors }) => tensors),
    views: parts.flatMap(({ views }) => views),
    computed: [...new Set([...storedNames(prepare), ...auxiliaryNames(network, options)])],
  };
}

/** What a later program with endpoints of the auxiliary head will prepare in the same store. */
function auxiliaryNames(network: Graph, options: InferenceOptions): readonly string[] {
  if (network.auxiliaryLogits === undefined) return [];
  const context = {
    native: (options.kernels ?? 'native') === 'native',
    endpoints: ['auxiliary/logits'],
    ranges: rangesFor(options),
  };
  const whole = runPasses(network, inferenceGraphPasses, {
    context,
    choices: { ...options.passes, withoutAuxiliary: false },
  });
  return storedNames(compilePreparation(whole, options));
}

/** A graph becomes two programs: one that folds parameters once, and one that predicts. */
import type { Graph, Node, NodeOf, Parameter } from '../graph/graph.ts';
import { Emitter, slot } from './emitter.ts';
import { endpointIds, returnEndpoints } from './endpoints.ts';
import { foldBatchNorm, foldResidualScale } from './fold.ts';
import { type Lowered, lowerForward, overwritableResults } from './forward.ts';
import { fuseConvRelu } from './fuse-conv-relu.ts';
import { flatTensor, layOut, mergedName, placeInOrder } from './layout.ts';
import { mergeSiblings } from './merge-siblings.ts';
import { type CompiledInference, type InferenceOptions, inceptionScaling } from './options.ts';
import { checkProgram, type Program, type Slot, type StoreSpec } from './program.ts';
import { withoutAuxiliary } from './rewrite.ts';

/** Compiles inference by moving statistics. @throws CompileError for an endpoint that does not exist. */
export function compileInference(network: Graph, options: InferenceOptions): CompiledInference {
  const { batch, precision } = options;
  const native = (options.kernels ?? 'native') === 'native';
  const folded = applyPasses(network, options);
  const fuse = native && options.passes?.fuseConvRelu !== false;
  const kept = endpointIds(folded, options.endpoints ?? []);
  const graph = fuse ? fuseConvRelu(folded, { keep: [...kept.values()] }) : folded;
  const store = inferenceStore(network, graph, options);
  const prepare = compilePreparation(graph, options);
  const emitter = new Emitter();
  const endpoints = endpointIds(graph, options.endpoints ?? []);
  const lowered = lowerForward({
    emitter,
    graph,
    batch,
    precision,
    images: options.images ?? 'uint8',
    scaling: options.scaling ?? inceptionScaling,
    batchStatistics: false,
    batchNormMomentum: 0,
    dropout: false,
    kernels: options.kernels ?? 'native',
    placement: new Map(),
    buffers: new Map(),
    stored: (name, node) => (node.op === 'conv' ? preparedName(name, options) : sourceName(name, options)),
    overwritable: overwritableResults(graph, [...endpoints.values()]),
  });
  returnEndpoints(emitter, endpoints, lowered);
  const last = (lowered[graph.logits] as Lowered).value;
  emitter.output('features', graph.network.classes === 0 ? last : featuresOf(graph, lowered));
  if (graph.network.classes > 0) {
    emitter.layer = 'probabilities';
    emitter.output('logits', last);
    emitter.output('probabilities', emitter.call('aten::_softmax', [slot(last), 1, false]));
  }
  const predict = emitter.finish(`${network.network.name} infer batch ${batch} ${precision}`);
  checkProgram(prepare, store);
  checkProgram(predict, store);
  return { store, prepare, predict };
}

/** What the classifier reads. */
function featuresOf(graph: Graph, lowered: readonly Lowered[]): Slot {
  const [source] = (graph.nodes[graph.logits] as Node).inputs;
  return (lowered[source as number] as Lowered).value;
}

/** Merged and folded, and without the auxiliary head unless one of its endpoints is asked for. */
function applyPasses(network: Graph, { passes = {}, endpoints = [] }: InferenceOptions): Graph {
  const enabled = [
    !endpoints.some((name) => name.startsWith('auxiliary/')) && withoutAuxiliary,
    passes.mergeSiblings !== false && mergeSiblings,
    passes.foldBatchNorm !== false && foldBatchNorm,
    passes.foldResidualScale !== false && foldResidualScale,
  ];
  return enabled.reduce<Graph>((graph, pass) => (pass ? pass(graph) : graph), network);
}

const sourceName = (name: string, { parameters = 'weights' }: InferenceOptions): string =>
  parameters === 'averages' && !/\/moving(Mean|Variance)(\+|$)/.test(name) ? `averages/${name}` : name;

const preparedKind = ({ parameters = 'weights', precision }: InferenceOptions): string =>
  `prepared/${parameters}/${precision}`;

const preparedName = (name: string, { parameters = 'weights', precision }: InferenceOptions): string =>
  `prepared/${parameters}/${precision}/${name}`;

/** Names of a convolution's weight and bias; a folded bias takes the place of the batch normalisation's beta. */
function convolutionNames(node: NodeOf<'conv'>): { weight: string; bias: string | undefined } {
  const part = (name: 'weight' | 'bias') =>
    mergedName(node.parameters.members.map((member) => member[name] as Parameter));
  return { weight: part('weight'), bias: node.attributes.bias ? part('bias') : undefined };
}

/** Writes every convolution's weight and bias, folded and in the program's precision, to `prepared/…`. */
function compilePreparation(graph: Graph, options: InferenceOptions): Program {
  const emitter = new Emitter();
  for (const node of graph.nodes) {
    if (node.op !== 'conv') continue;
    emitter.layer = node.path;
    const { weight, bias } = convolutionNames(node);
    const source = (name: string): Slot => emitter.load(sourceName(name, options));
    const write = (name: string, value: Slot) =>
      emitter.effect('aten::copy_', [slot(emitter.load(preparedName(name, options))), slot(value)]);
    const { scale = 1, batchNorm } = node.attributes.folded ?? {};
    const scaled = (value: Slot) =>
      scale === 1 ? value : emitter.call('aten::mul.Scalar', [slot(value), scale]);
    if (!batchNorm) {
      write(weight, scaled(source(weight)));
      if (bias) write(bias, scaled(source(bias)));
      continue;
    }
    const part = (name: 'gamma' | 'beta' | 'movingMean' | 'movingVariance') =>
      source(mergedName(batchNorm.parameters.members.map((member) => member[name] as Parameter)));
    const [beta, mean, variance] = [part('beta'), part('movingMean'), part('movingVariance')];
    const shifted = emitter.call('aten::add.Scalar', [slot(variance), batchNorm.epsilon]);
    const inverse = emitter.call('aten::rsqrt', [slot(shifted)]);
    const factor = scaled(
      graph.network.gamma ? emitter.call('aten::mul.Tensor', [slot(part('gamma')), slot(inverse)]) : inverse,
    );
    const perFilter = emitter.call('aten::view', [slot(factor), [node.shape[2], 1, 1, 1]]);
    write(weight, emitter.call('aten::mul.Tensor', [slot(source(weight)), slot(perFilter)]));
    const meanScaled = emitter.call('aten::mul.Tensor', [slot(mean), slot(factor)]);
    write(bias as string, emitter.call('aten::sub.Tensor', [slot(scaled(beta)), slot(meanScaled)]));
  }
  if ((options.kernels ?? 'native') === 'native') {
    const changed = emitter.load(`flat/${preparedKind(options)}`);
    emitter.calls('inception::weights_changed_', [slot(changed)], { results: 0 });
  }
  return emitter.finish(`${graph.network.name} prepare ${options.precision}`);
}

function inferenceStore(network: Graph, graph: Graph, options: InferenceOptions): StoreSpec {
  const { trainable, statistics, trainableLength: length, statisticsLength } = layOut(network);
  const { parameters = 'weights', precision } = options;
  const convolutions = graph.nodes.filter((node) => node.op === 'conv');
  const prepared = placeInOrder(convolutions.flatMap(convolutionParameters));
  const parts = [
    flatTensor(trainable, { kind: 'weights', prefix: '', dtype: 'float32', length }),
    flatTensor(statistics, { kind: 'statistics', prefix: '', dtype: 'float32', length: statisticsLength }),
    ...(parameters === 'averages'
      ? [flatTensor(trainable, { kind: 'averages', prefix: 'averages/', dtype: 'float32', length })]
      : []),
    flatTensor(prepared.placements, {
      kind: preparedKind(options),
      prefix: preparedName('', options),
      dtype: precision,
      length: prepared.length,
    }),
  ];
  return { tensors: parts.flatMap(({ tensors }) => tensors), views: parts.flatMap(({ views }) => views) };
}

/** A convolution's weight and, if it has one, bias; of merged siblings, as one parameter each. */
function convolutionParameters(node: NodeOf<'conv'>): Parameter[] {
  const { weight, bias } = convolutionNames(node);
  const [first] = node.parameters.members as [{ weight: Parameter }];
  const [, ...perFilter] = first.weight.shape;
  const filters = node.shape[2];
  return [
    { name: weight, role: 'convWeight', shape: [filters, ...perFilter] },
    ...(bias ? [{ name: bias, role: 'convBias', shape: [filters] } as const] : []),
  ];
}

/** A graph becomes two programs: one that folds parameters once, and one that predicts. */
import {
  type Graph,
  isStatistic,
  type MemberParameters,
  type Node,
  type NodeOf,
  type Parameter,
} from '../graph/graph.ts';
import { exchangePooling } from '../passes/exchange-pooling.ts';
import { foldBatchNorm, foldResidualScale } from '../passes/fold.ts';
import { fuseConvRelu } from '../passes/fuse-conv-relu.ts';
import { mergeSiblings } from '../passes/merge-siblings.ts';
import { withoutAuxiliary } from '../passes/rewrite.ts';
import { Emitter, slot } from './emitter.ts';
import { endpointIds, returnEndpoints } from './endpoints.ts';
import { type Lowered, lowerForward, overwritableResults } from './forward.ts';
import { flatTensor, layOut, placeInOrder } from './layout.ts';
import { type CompiledInference, type InferenceOptions, inceptionScaling } from './options.ts';
import { checkProgram, type Program, type Slot, type StoreSpec } from './program.ts';

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
    recompute: false,
    stored: (name, node, parameter) =>
      node.op === 'conv'
        ? preparedName(name, options)
        : sourceName(name, { ...options, statistic: isStatistic(parameter) }),
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

/** Folded and merged, and without the auxiliary head unless one of its endpoints is asked for. */
function applyPasses(network: Graph, { passes = {}, endpoints = [] }: InferenceOptions): Graph {
  const isAuxiliary = (name: string) =>
    network.nodes[network.endpoints.get(name) ?? -1]?.head === 'auxiliary';
  const enabled = [
    !endpoints.some(isAuxiliary) && withoutAuxiliary,
    passes.foldBatchNorm !== false && foldBatchNorm,
    passes.foldResidualScale !== false && foldResidualScale,
    passes.exchangePooling !== false && exchangePooling,
    passes.mergeSiblings !== false && mergeSiblings,
  ];
  return enabled.reduce<Graph>((graph, pass) => (pass ? pass(graph) : graph), network);
}

const sourceName = (
  name: string,
  { statistic, parameters = 'weights' }: InferenceOptions & { statistic: boolean },
): string => (parameters === 'averages' && !statistic ? `averages/${name}` : name);

const preparedKind = ({ parameters = 'weights', precision }: InferenceOptions): string =>
  `prepared/${parameters}/${precision}`;

const preparedName = (name: string, { parameters = 'weights', precision }: InferenceOptions): string =>
  `prepared/${parameters}/${precision}/${name}`;

/** Writes every convolution's weight and bias, folded and in the program's precision, to `prepared/…`. */
function compilePreparation(graph: Graph, options: InferenceOptions): Program {
  const emitter = new Emitter();
  for (const node of graph.nodes) {
    if (node.op !== 'conv') continue;
    emitter.layer = node.path;
    node.parameters.members.forEach((member, index) => {
      prepareConvolution(emitter, { node, member, index, gamma: graph.network.gamma, options });
    });
  }
  if ((options.kernels ?? 'native') === 'native') {
    const changed = emitter.load(`flat/${preparedKind(options)}`);
    emitter.calls('inception::weights_changed_', [slot(changed)], { results: 0 });
  }
  return emitter.finish(`${graph.network.name} prepare ${options.precision}`);
}

interface Preparation {
  readonly node: NodeOf<'conv'>;
  readonly member: MemberParameters<'conv'>;
  /** Which of a merged convolution's members it is. */
  readonly index: number;
  readonly gamma: boolean;
  readonly options: InferenceOptions;
}

function prepareConvolution(emitter: Emitter, { node, member, index, gamma, options }: Preparation): void {
  const source = (parameter: Parameter): Slot =>
    emitter.load(sourceName(parameter.name, { ...options, statistic: isStatistic(parameter) }));
  const write = (name: string, value: Slot) =>
    emitter.effect('aten::copy_', [slot(emitter.load(preparedName(name, options))), slot(value)]);
  const { scale = 1, batchNorm } = node.attributes.folded ?? {};
  const scaled = (value: Slot) =>
    scale === 1 ? value : emitter.call('aten::mul.Scalar', [slot(value), scale]);
  const weight = member.weight as Parameter;
  const { bias } = member;
  const norm = batchNorm?.parameters.members[index];
  if (!batchNorm || !norm) {
    write(weight.name, scaled(source(weight)));
    if (bias) write(bias.name, scaled(source(bias)));
    return;
  }
  const part = (name: keyof typeof norm) => source(norm[name] as Parameter);
  const shifted = emitter.call('aten::add.Scalar', [slot(part('movingVariance')), batchNorm.epsilon]);
  const inverse = emitter.call('aten::rsqrt', [slot(shifted)]);
  const factor = scaled(
    gamma ? emitter.call('aten::mul.Tensor', [slot(part('gamma')), slot(inverse)]) : inverse,
  );
  const perFilter = emitter.call('aten::view', [slot(factor), [weight.shape[0] as number, 1, 1, 1]]);
  write(weight.name, emitter.call('aten::mul.Tensor', [slot(source(weight)), slot(perFilter)]));
  const meanScaled = emitter.call('aten::mul.Tensor', [slot(part('movingMean')), slot(factor)]);
  // A folded bias takes the place of the batch normalisation's beta.
  const shift = emitter.call('aten::sub.Tensor', [slot(scaled(part('beta'))), slot(meanScaled)]);
  write((bias as Parameter).name, shift);
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

/** The weights of a convolution's members and, if it has some, their biases. */
function convolutionParameters({ parameters: { members } }: NodeOf<'conv'>): Parameter[][] {
  const biases = members.flatMap(({ bias }) => bias ?? []);
  return [members.map(({ weight }) => weight as Parameter), ...(biases.length > 0 ? [biases] : [])];
}

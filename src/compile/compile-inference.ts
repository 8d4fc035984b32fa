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
import { type Lowered, lowerForward, overwritableResults, ownGeometry } from './forward.ts';
import { flatTensor, layOut, mergedName } from './layout.ts';
import {
  type CompiledInference,
  type InferenceOptions,
  inceptionScaling,
  type Precision,
} from './options.ts';
import { checkProgram, type Program, type Slot, type StoreSpec } from './program.ts';

/** Compiles inference by moving statistics. @throws CompileError for an endpoint that does not exist. */
export function compileInference(network: Graph, options: InferenceOptions): CompiledInference {
  const { batch, precision } = options;
  const native = (options.kernels ?? 'native') === 'native';
  const folded = applyPasses(network, options);
  const fuse = native && options.passes?.fuseConvRelu !== false;
  const kept = endpointIds(folded, options.endpoints ?? []);
  const graph = fuse ? fuseConvRelu(folded, { keep: [...kept.values()] }) : folded;
  const prepare = compilePreparation(graph, options);
  const store = inferenceStore(network, prepare, options);
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

const preparedName = (name: string, { parameters = 'weights', precision }: InferenceOptions): string =>
  `prepared/${parameters}/${precision}/${name}`;

/** Stores every convolution's weight and bias as `prepared/…`: folded, in the program's precision, packed where it is run so. */
function compilePreparation(graph: Graph, options: InferenceOptions): Program {
  const emitter = new Emitter();
  for (const node of graph.nodes) {
    if (node.op !== 'conv') continue;
    emitter.layer = node.path;
    prepareConvolution(emitter, { node, graph, options });
  }
  return emitter.finish(`${graph.network.name} prepare ${options.precision}`);
}

interface Preparation {
  readonly node: NodeOf<'conv'>;
  readonly graph: Graph;
  readonly options: InferenceOptions;
}

function prepareConvolution(emitter: Emitter, { node, graph, options }: Preparation): void {
  const { precision } = options;
  const members = node.parameters.members.map((member, index) =>
    foldMember(emitter, { member, index, node, gamma: graph.network.gamma, options }),
  );
  const joined = (parts: readonly Slot[]): Slot =>
    parts.length === 1 ? (parts[0] as Slot) : emitter.call('aten::cat', [{ slots: parts }, 0]);
  const cast = (value: Slot, dtype: Precision, named = {}) =>
    emitter.call('aten::_to_copy', [slot(value)], { dtype: { dtype }, ...named });
  const store = (part: 'weight' | 'bias', value: Slot) =>
    emitter.store(preparedName(mergedName(partOf(node, part)), options), value);
  const { relu } = node.attributes;
  const weight = joined(members.map((member) => member.weight));
  if (relu === undefined) {
    store('weight', cast(weight, precision, { memory_format: { memoryFormat: 'channelsLast' } }));
  } else {
    const rounded = precision === 'float32' ? weight : cast(weight, precision);
    const [height, width, channels] = (graph.nodes[node.inputs[0] as number] as Node).shape;
    store(
      'weight',
      emitter.call('inception::pack_convolution', [
        slot(rounded),
        [options.batch, channels, height, width],
        ...ownGeometry(node.attributes),
        node.inputs.length > 1,
        relu,
      ]),
    );
  }
  if (!node.attributes.bias) return;
  const bias = cast(joined(members.flatMap((member) => member.bias ?? [])), precision);
  // Our operators add a bias in float32; it is rounded all the same, as libtorch's convolutions round it.
  store('bias', relu === undefined || precision === 'float32' ? bias : cast(bias, 'float32'));
}

/** The parameters of this name of all members of a merged convolution. */
const partOf = ({ parameters: { members } }: NodeOf<'conv'>, part: 'weight' | 'bias'): Parameter[] =>
  members.flatMap((member) => member[part] ?? []);

interface Member {
  readonly node: NodeOf<'conv'>;
  readonly member: MemberParameters<'conv'>;
  /** Which of a merged convolution's members it is. */
  readonly index: number;
  readonly gamma: boolean;
  readonly options: InferenceOptions;
}

/** One convolution's weight and bias in float32, with batch normalisation and residual scale in them. */
function foldMember(
  emitter: Emitter,
  { node, member, index, gamma, options }: Member,
): { weight: Slot; bias?: Slot } {
  const source = (parameter: Parameter): Slot =>
    emitter.load(sourceName(parameter.name, { ...options, statistic: isStatistic(parameter) }));
  const { scale = 1, batchNorm } = node.attributes.folded ?? {};
  const scaled = (value: Slot) =>
    scale === 1 ? value : emitter.call('aten::mul.Scalar', [slot(value), scale]);
  const weight = member.weight as Parameter;
  const { bias } = member;
  const norm = batchNorm?.parameters.members[index];
  if (!batchNorm || !norm) {
    return {
      weight: scaled(source(weight)),
      ...(bias && { bias: scaled(source(bias)) }),
    };
  }
  const part = (name: keyof typeof norm) => source(norm[name] as Parameter);
  const shifted = emitter.call('aten::add.Scalar', [slot(part('movingVariance')), batchNorm.epsilon]);
  const inverse = emitter.call('aten::rsqrt', [slot(shifted)]);
  const factor = scaled(
    gamma ? emitter.call('aten::mul.Tensor', [slot(part('gamma')), slot(inverse)]) : inverse,
  );
  const perFilter = emitter.call('aten::view', [slot(factor), [weight.shape[0] as number, 1, 1, 1]]);
  const folded = emitter.call('aten::mul.Tensor', [slot(source(weight)), slot(perFilter)]);
  const meanScaled = emitter.call('aten::mul.Tensor', [slot(part('movingMean')), slot(factor)]);
  // A folded bias takes the place of the batch normalisation's beta.
  return {
    weight: folded,
    bias: emitter.call('aten::sub.Tensor', [slot(scaled(part('beta'))), slot(meanScaled)]),
  };
}

function inferenceStore(network: Graph, prepare: Program, options: InferenceOptions): StoreSpec {
  const { trainable, statistics, trainableLength: length, statisticsLength } = layOut(network);
  const { parameters = 'weights' } = options;
  const parts = [
    flatTensor(trainable, { kind: 'weights', prefix: '', dtype: 'float32', length }),
    flatTensor(statistics, { kind: 'statistics', prefix: '', dtype: 'float32', length: statisticsLength }),
    ...(parameters === 'averages'
      ? [flatTensor(trainable, { kind: 'averages', prefix: 'averages/', dtype: 'float32', length })]
      : []),
  ];
  const computed = prepare.steps.flatMap((step) => (step.do === 'store' ? [step.name] : []));
  return {
    tensors: parts.flatMap(({ tensors }) => tensors),
    views: parts.flatMap(({ views }) => views),
    computed,
  };
}

/** A graph and the numbers of a recipe become one training step: forward, loss, backward, optimiser, averages. */
import type { Graph, Node } from '../graph/graph.ts';
import { runPasses } from '../passes/pass.ts';
import { CompileError } from './compile-error.ts';
import { Emitter } from './emitter.ts';
import { endpointIds, returnEndpoints } from './endpoints.ts';
import { flatTensor, layOut, part } from './layout.ts';
import { crossEntropy } from './loss.ts';
import { lowerBackward, type ParameterGradient } from './lower-backward.ts';
import { lowerForward } from './lower-forward.ts';
import { ruleOf } from './optimizers/optimizers.ts';
import { flat, flatKinds, gradientNorm, Update } from './optimizers/update.ts';
import { type CompiledTraining, inceptionScaling, type TrainingOptions } from './options.ts';
import { checkProgram, type StoreSpec, type TensorSpec, type Value } from './program.ts';
import { finish } from './program-passes/finish/finish.ts';
import { aten } from './rules/aten.ts';
import { native } from './rules/native.ts';
import { type Lowered, type Lowering, lay } from './rules/rule.ts';
import { trainingGraphPasses, trainingProgramPasses } from './training-passes.ts';

const rulesOf = { aten, native: lay(native, aten) };

/** Compiles the training step. @throws CompileError naming the layer or the option that does not fit. */
export function compileTraining(network: Graph, options: TrainingOptions): CompiledTraining {
  const { batch, precision, kernels = 'native', passes: choices } = options;
  if (network.network.classes === 0 && options.projectEndpoint === undefined)
    throw new CompileError(`${network.network.name} has no classifier to train (classes: 0)`);
  const batchStatistics = (options.batchNorm ?? 'batch') === 'batch';
  const graph = runPasses(network, trainingGraphPasses, { context: undefined, choices });
  if (batchStatistics) refuseSingleValues(graph, batch);
  const updates = options.update ?? true;
  // Clipping needs the norm of all gradients before the first update.
  const each = kernels === 'native' && updates && options.clipNorm === undefined;
  // Native convolutions round the weights while they pack them; libtorch's want them rounded.
  const roundedCopy = precision === 'bfloat16' && kernels === 'aten';
  const emitter = new Emitter();
  if (roundedCopy) {
    emitter.layer = 'weights in bfloat16';
    emitter.call('aten::copy_', [emitter.load('flat/bfloat16'), emitter.load('convolutions/weights')]);
  }
  const lowering: Lowering = {
    emitter,
    graph,
    batch,
    precision,
    images: options.images ?? 'uint8',
    scaling: options.scaling ?? inceptionScaling,
    batchStatistics,
    batchNormMomentum: options.batchNormMomentum,
    dropout: options.dropout ?? true,
    roundedParameters: kernels === 'aten',
    stored: (name, node) => (roundedCopy && node.op === 'conv' ? `bfloat16/${name}` : name),
  };
  const lowered = lowerForward(lowering, rulesOf[kernels]);
  returnEndpoints(emitter, endpointIds(graph, options.endpoints ?? []), lowered);
  const seeds = lowerLoss(lowering, lowered, options);
  const weights: ParameterGradient[] = [];
  const receive = (gradient: ParameterGradient) => {
    if (each && gradient.part === 'weight') weights.push(gradient);
    else emitter.call('aten::copy_', [emitter.load(`gradient/${gradient.name}`), gradient.value]);
  };
  lowerBackward(lowering, lowered, { seeds, receive });
  const update = new Update(emitter, options);
  emitter.layer = each ? 'optimizer' : 'gradient norm';
  const norm = each ? update.applyEach(weights) : gradientNorm(emitter);
  emitter.output('gradientNorm', norm);
  if (updates && !each) update.applyAll(norm);
  const { optimizer, averages = true } = options;
  const store = trainingStore(network, { optimizer, roundedCopy, each, averages });
  const [[, backward] = [undefined, { slot: -1 }]] = seeds;
  const context = {
    ...{ store, backward: backward.slot, dtype: precision },
    bytes: precision === 'bfloat16' ? 2 : 4,
  };
  const draft = emitter.draft(`${network.network.name} train batch ${batch} ${precision}`);
  const step = finish(runPasses(draft, trainingProgramPasses, { context, choices }));
  checkProgram(step, store);
  return { store, step };
}

/** The loss, its outputs, and the gradients with which the backward pass begins. */
function lowerLoss(
  lowering: Lowering,
  lowered: readonly Lowered[],
  options: TrainingOptions,
): Map<number, Value> {
  const { emitter, graph, batch, precision } = lowering;
  const resultOf = (id: number): Value => (lowered[id] as Lowered).value;
  emitter.layer = 'loss';
  if (options.projectEndpoint !== undefined) {
    const [id] = [...endpointIds(graph, [options.projectEndpoint]).values()] as [number];
    const [height, width, channels] = (graph.nodes[id] as Node).shape;
    const projection = emitter.input('projection', 'float32', [batch, channels, height, width]);
    const gradient = emitter.call('aten::_to_copy', [projection], {
      dtype: { dtype: precision },
      memory_format: { memoryFormat: 'channelsLast' },
    });
    const products = emitter.call('aten::mul.Tensor', [resultOf(id), gradient]);
    emitter.output('loss', emitter.call('aten::sum', [products], { dtype: { dtype: 'float32' } }));
    return new Map([[id, gradient]]);
  }
  const { classes } = graph.network;
  const { labelSmoothing } = options;
  const labels = emitter.input('labels', 'int64', [batch]);
  const seeds = new Map<number, Value>();
  const logits = resultOf(graph.logits);
  const main = crossEntropy(emitter, { logits, labels }, { batch, classes, labelSmoothing, weight: 1 });
  seeds.set(graph.logits, main.gradient);
  emitter.output('loss', main.loss);
  const guesses = emitter.call('aten::argmax', [logits, 1, false]);
  const misses = emitter.call('aten::ne.Tensor', [guesses, labels]);
  emitter.output('wrong', emitter.call('aten::sum', [misses]));
  const features = graph.nodes.findLast((node) => node.op === 'globalAvgPool' && node.head === 'main');
  if (features) {
    const zeros = emitter.call('aten::eq.Scalar', [resultOf(features.id), 0]);
    emitter.output('zeroShare', emitter.call('aten::mean', [zeros], { dtype: { dtype: 'float32' } }));
  }
  if (graph.auxiliaryLogits !== undefined) {
    const weight = options.auxiliaryLossWeight;
    const logits = resultOf(graph.auxiliaryLogits);
    const auxiliary = crossEntropy(emitter, { logits, labels }, { batch, classes, labelSmoothing, weight });
    seeds.set(graph.auxiliaryLogits, auxiliary.gradient);
    emitter.output('auxiliaryLoss', auxiliary.loss);
  }
  return seeds;
}

/** The variance of a single value is zero, and its unbiased estimate is infinite. */
function refuseSingleValues(graph: Graph, batch: number): void {
  const single = graph.nodes.find(
    (node) => node.op.startsWith('batchNorm') && batch * node.shape[0] * node.shape[1] === 1,
  );
  if (single) {
    throw new CompileError(
      `${single.path}: batch normalisation sees one value for each channel (batch 1 on a 1×1 grid); use a batch of at least 2 or a larger input`,
    );
  }
}

interface StoreChoices extends Pick<TrainingOptions, 'optimizer'> {
  /** A copy of the convolutions' weights in bfloat16. */
  readonly roundedCopy: boolean;
  /** Whether each weight is updated by itself, so that its gradient needs no place in the store. */
  readonly each: boolean;
  readonly averages: boolean;
}

function trainingStore(graph: Graph, { optimizer, roundedCopy, each, averages }: StoreChoices): StoreSpec {
  const layout = layOut(graph);
  const { trainable, statistics, trainableLength: length, statisticsLength, decayedLength } = layout;
  const [from, to] = layout.convolutions;
  const within = (begin: number, end: number) =>
    trainable.filter(({ offset }) => offset >= begin && offset < end);
  const kept = each ? decayedLength : 0;
  const weights = flatTensor(trainable, { kind: 'weights', prefix: '', dtype: 'float32', length });
  const averaged = flatTensor(trainable, { kind: 'averages', prefix: 'averages/', dtype: 'float32', length });
  const parts = [
    weights,
    flatTensor(statistics, { kind: 'statistics', prefix: '', dtype: 'float32', length: statisticsLength }),
    averages ? averaged : asOther(averaged, weights),
    flatTensor(within(kept, length), {
      kind: 'gradient',
      prefix: 'gradient/',
      dtype: 'float32',
      length: length - kept,
      start: kept,
    }),
    ...Object.entries(ruleOf(optimizer).state).map(([kind, fill]) =>
      flatTensor(trainable, { kind, prefix: `${kind}/`, dtype: 'float32', length, fill }),
    ),
    ...(roundedCopy
      ? [
          flatTensor(within(from, to), {
            kind: 'bfloat16',
            prefix: 'bfloat16/',
            dtype: 'bfloat16',
            length: to - from,
            start: from,
          }),
        ]
      : []),
  ];
  return {
    tensors: parts.flatMap(({ tensors }) => tensors),
    views: [
      ...parts.flatMap(({ views }) => views),
      ...flatKinds({ optimizer }).flatMap((kind) => {
        const start = kind === 'gradient' ? kept : 0;
        return [
          ...(start < decayedLength ? [part(`decayed/${kind}`, flat(kind), [0, decayedLength])] : []),
          part(`undecayed/${kind}`, flat(kind), [decayedLength - start, length - start]),
        ];
      }),
      part('convolutions/weights', 'flat/weights', [from, to]),
    ],
  };
}

/** The same names, as views of another flat tensor. */
function asOther(
  { tensors, views }: ReturnType<typeof flatTensor>,
  other: ReturnType<typeof flatTensor>,
): ReturnType<typeof flatTensor> {
  const [own] = tensors as [TensorSpec];
  const [of] = other.tensors as [TensorSpec];
  const whole = part(own.name, of.name, [0, of.shape[0] as number]);
  return { tensors: [], views: [whole, ...views.map((view) => ({ ...view, of: of.name }))] };
}

/** A graph and the numbers of a recipe become one training step: forward, loss, backward, optimiser, averages. */
import type { Graph, Node } from '../graph/graph.ts';
import { exchangePooling } from '../passes/exchange-pooling.ts';
import { fuseNormRelu } from '../passes/fuse-norm-relu.ts';
import { fuseSumRelu } from '../passes/fuse-sum-relu.ts';
import { mergeSiblings } from '../passes/merge-siblings.ts';
import { CompileError } from './compile-error.ts';
import { Emitter, slot } from './emitter.ts';
import { endpointIds, returnEndpoints } from './endpoints.ts';
import { type Lowered, type Lowering, lowerForward, overwritableResults } from './forward.ts';
import { lowerBackward } from './gradients.ts';
import { flatTensor, layOut, part } from './layout.ts';
import { crossEntropy } from './loss.ts';
import { flat, flatKinds, gradientNorm, Update } from './optimizer.ts';
import { type CompiledTraining, inceptionScaling, type TrainingOptions } from './options.ts';
import { placeInConcat } from './place-in-concat.ts';
import { checkProgram, type Slot, type StoreSpec, type TensorSpec } from './program.ts';
import { isRecomputationWorthwhile } from './recompute.ts';

/** Compiles the training step. @throws CompileError naming the layer or the option that does not fit. */
export function compileTraining(network: Graph, options: TrainingOptions): CompiledTraining {
  const { batch, precision, passes = {} } = options;
  if (network.network.classes === 0 && options.projectEndpoint === undefined)
    throw new CompileError(`${network.network.name} has no classifier to train (classes: 0)`);
  const batchStatistics = (options.batchNorm ?? 'batch') === 'batch';
  const native = (options.kernels ?? 'native') === 'native';
  const exchanged = passes.exchangePooling === false ? network : exchangePooling(network);
  const merged = passes.mergeSiblings === false ? exchanged : mergeSiblings(exchanged);
  const summed = native && passes.fuseSumRelu !== false ? fuseSumRelu(merged) : merged;
  const graph = batchStatistics && native && passes.fuseNormRelu !== false ? fuseNormRelu(summed) : summed;
  if (batchStatistics) refuseSingleValues(graph, batch);
  const emitter = new Emitter();
  const updates = options.update ?? true;
  // Native convolutions round the weights while they pack them; libtorch's, as all in groups are, want them rounded.
  const isRounded = (node: Node) => node.op === 'conv' && (!native || node.attributes.groups > 1);
  const roundedCopy = precision === 'bfloat16' && graph.nodes.some(isRounded);
  // Clipping needs the norm of all gradients before the first update, and rounded gradients a copy in float32.
  const unhindered = options.clipNorm === undefined && !roundedCopy;
  const immediate = native && updates && unhindered && passes.updateImmediately !== false;
  if (roundedCopy) {
    emitter.layer = 'weights in bfloat16';
    emitter.effect('aten::copy_', [
      slot(emitter.load('flat/bfloat16')),
      slot(emitter.load('convolutions/weights')),
    ]);
  }
  const endpoints = endpointIds(graph, options.endpoints ?? []);
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
    kernels: options.kernels ?? 'native',
    placement:
      native && passes.placeInConcat !== false
        ? placeInConcat(graph, { keepDense: [...endpoints.values()] })
        : new Map(),
    buffers: new Map(),
    recompute: passes.recompute ?? isRecomputationWorthwhile(graph, options),
    stored: (name, node) => (roundedCopy && isRounded(node) ? `bfloat16/${name}` : name),
    overwritable: overwritableResults(graph, [...endpoints.values()]),
  };
  const lowered = lowerForward(lowering);
  returnEndpoints(emitter, endpoints, lowered);
  const update = new Update(emitter, options);
  const applyNow = immediate ? update.applyNow.bind(update) : undefined;
  lowerBackward(
    { ...lowering, ...(applyNow && { applyNow }) },
    lowered,
    lowerLoss(lowering, lowered, options),
  );
  if (immediate) {
    emitter.output('gradientNorm', update.finishNow());
  } else {
    emitter.layer = 'gradient norm';
    const norm = gradientNorm(emitter);
    emitter.output('gradientNorm', norm);
    if (updates) update.applyAll(norm);
  }
  const step = emitter.finish(`${network.network.name} train batch ${batch} ${precision}`);
  const store = trainingStore(network, { roundedCopy, immediate, averages: options.averages ?? true });
  checkProgram(step, store);
  return { store, step };
}

/** The loss, its outputs, and the gradients with which the backward pass begins. */
function lowerLoss(
  lowering: Lowering,
  lowered: readonly Lowered[],
  options: TrainingOptions,
): Map<number, Slot> {
  const { emitter, graph, batch, precision } = lowering;
  const resultOf = (id: number): Slot => (lowered[id] as Lowered).value;
  emitter.layer = 'loss';
  if (options.projectEndpoint !== undefined) {
    const [id] = [...endpointIds(graph, [options.projectEndpoint]).values()] as [number];
    const [height, width, channels] = (graph.nodes[id] as Node).shape;
    const projection = emitter.input('projection', 'float32', [batch, channels, height, width]);
    const gradient = emitter.call('aten::_to_copy', [slot(projection)], {
      dtype: { dtype: precision },
      memory_format: { memoryFormat: 'channelsLast' },
    });
    const products = emitter.call('aten::mul.Tensor', [slot(resultOf(id)), slot(gradient)]);
    emitter.output('loss', emitter.call('aten::sum', [slot(products)], { dtype: { dtype: 'float32' } }));
    return new Map([[id, gradient]]);
  }
  const { classes } = graph.network;
  const { labelSmoothing } = options;
  const labels = emitter.input('labels', 'int64', [batch]);
  const seeds = new Map<number, Slot>();
  const logits = resultOf(graph.logits);
  const main = crossEntropy(emitter, { logits, labels }, { batch, classes, labelSmoothing, weight: 1 });
  seeds.set(graph.logits, main.gradient);
  emitter.output('loss', main.loss);
  const guesses = emitter.call('aten::argmax', [slot(logits), 1, false]);
  const misses = emitter.call('aten::ne.Tensor', [slot(guesses), slot(labels)]);
  emitter.output('wrong', emitter.call('aten::sum', [slot(misses)]));
  const features = graph.nodes.findLast((node) => node.op === 'globalAvgPool' && node.head === 'main');
  if (features) {
    const zeros = emitter.call('aten::eq.Scalar', [slot(resultOf(features.id)), 0]);
    emitter.output('zeroShare', emitter.call('aten::mean', [slot(zeros)], { dtype: { dtype: 'float32' } }));
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

interface StoreChoices {
  /** A copy of the convolutions' weights in bfloat16. */
  readonly roundedCopy: boolean;
  /** Whether weights are updated as soon as their gradients exist, which then need no place of their own. */
  readonly immediate: boolean;
  readonly averages: boolean;
}

function trainingStore(graph: Graph, { roundedCopy, immediate, averages }: StoreChoices): StoreSpec {
  const layout = layOut(graph);
  const { trainable, statistics, trainableLength: length, statisticsLength, decayedLength } = layout;
  const [from, to] = layout.convolutions;
  const within = (begin: number, end: number) =>
    trainable.filter(({ offset }) => offset >= begin && offset < end);
  const kept = immediate ? decayedLength : 0;
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
    flatTensor(trainable, { kind: 'meanSquare', prefix: 'meanSquare/', dtype: 'float32', length, fill: 1 }),
    flatTensor(trainable, { kind: 'momentum', prefix: 'momentum/', dtype: 'float32', length }),
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
      ...flatKinds.flatMap((kind) => {
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

/** A graph and the numbers of a recipe become one training step: forward, loss, backward, optimiser, averages. */
import type { Graph, Node } from '../graph/graph.ts';
import { Emitter, slot } from './emitter.ts';
import { CompileError, endpointIds, returnEndpoints } from './endpoints.ts';
import { type Lowered, type Lowering, lowerForward, overwritableResults } from './forward.ts';
import { fuseNormRelu } from './fuse-norm-relu.ts';
import { lowerBackward } from './gradients.ts';
import { flatTensor, layOut } from './layout.ts';
import { crossEntropy } from './loss.ts';
import { mergeSiblings } from './merge-siblings.ts';
import { gradientNorm, lowerUpdate } from './optimizer.ts';
import { type CompiledTraining, inceptionScaling, type TrainingOptions } from './options.ts';
import { placeInConcat } from './place-in-concat.ts';
import { checkProgram, type Slot, type StoreSpec } from './program.ts';

/** Compiles the training step. @throws CompileError naming the layer or the option that does not fit. */
export function compileTraining(network: Graph, options: TrainingOptions): CompiledTraining {
  const { batch, precision, passes = {} } = options;
  if (network.network.classes === 0 && options.projectEndpoint === undefined)
    throw new CompileError(`${network.network.name} has no classifier to train (classes: 0)`);
  const batchStatistics = (options.batchNorm ?? 'batch') === 'batch';
  const native = (options.kernels ?? 'native') === 'native';
  const merged = passes.mergeSiblings === false ? network : mergeSiblings(network);
  const graph = batchStatistics && native && passes.fuseNormRelu !== false ? fuseNormRelu(merged) : merged;
  if (batchStatistics) refuseSingleValues(graph, batch);
  const emitter = new Emitter();
  const halfPrecision = precision === 'bfloat16';
  if (halfPrecision) {
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
    stored: (name, node) => (halfPrecision && node.op === 'conv' ? `bfloat16/${name}` : name),
    overwritable: overwritableResults(graph, [...endpoints.values()]),
  };
  const lowered = lowerForward(lowering);
  returnEndpoints(emitter, endpoints, lowered);
  lowerBackward(lowering, lowered, lowerLoss(lowering, lowered, options));
  emitter.layer = 'gradient norm';
  const norm = gradientNorm(emitter);
  emitter.output('gradientNorm', norm);
  if (options.update ?? true) {
    lowerUpdate(emitter, { norm, decayedLength: layOut(network).decayedLength, options });
  }
  const step = emitter.finish(`${network.network.name} train batch ${batch} ${precision}`);
  const store = trainingStore(network, precision === 'bfloat16');
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
  const features = graph.nodes.findLast(
    (node) => node.op === 'globalAvgPool' && !node.path.startsWith('auxiliary/'),
  );
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

function trainingStore(graph: Graph, halfPrecision: boolean): StoreSpec {
  const layout = layOut(graph);
  const {
    trainable,
    statistics,
    trainableLength: length,
    statisticsLength,
    decayedLength,
    convolutions,
  } = layout;
  const [from, to] = convolutions;
  const convolutional = trainable.filter(({ offset }) => offset >= from && offset < to);
  const part = (name: string, of: string, [begin, end]: readonly [number, number]) => ({
    name,
    of,
    shape: [end - begin],
    strides: [1],
    offset: begin,
  });
  const parts = [
    flatTensor(trainable, { kind: 'weights', prefix: '', dtype: 'float32', length }),
    flatTensor(statistics, { kind: 'statistics', prefix: '', dtype: 'float32', length: statisticsLength }),
    flatTensor(trainable, { kind: 'averages', prefix: 'averages/', dtype: 'float32', length }),
    flatTensor(trainable, { kind: 'gradient', prefix: 'gradient/', dtype: 'float32', length }),
    flatTensor(trainable, { kind: 'meanSquare', prefix: 'meanSquare/', dtype: 'float32', length, fill: 1 }),
    flatTensor(trainable, { kind: 'momentum', prefix: 'momentum/', dtype: 'float32', length }),
    ...(halfPrecision
      ? [
          flatTensor(convolutional, {
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
      part('decayed/weights', 'flat/weights', [0, decayedLength]),
      part('decayed/gradient', 'flat/gradient', [0, decayedLength]),
      part('convolutions/weights', 'flat/weights', convolutions),
    ],
  };
}

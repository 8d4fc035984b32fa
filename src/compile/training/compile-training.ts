/** Compiles a graph and a recipe to one training step: forward, loss, backward, optimiser, averages. */
import type { Graph, Node } from '../../graph/graph.ts';
import { checkOptions, checkVariant } from '../../option.ts';
import { runPasses } from '../../passes/pass.ts';
import { CompileError } from '../compile-error.ts';
import { Emitter } from '../emitter.ts';
import { endpointIds, returnEndpoints } from '../endpoints.ts';
import { layOut } from '../layout.ts';
import { evaluationLowering, lowerForward } from '../lower-forward.ts';
import { learningRates } from '../optimizers/learning-rates.ts';
import { kindOf, optimizers } from '../optimizers/optimizers.ts';
import { gradientNorm, Update } from '../optimizers/update.ts';
import type { CompiledTraining, TrainingOptions } from '../options.ts';
import { checkProgram, type Value } from '../program.ts';
import { finish } from '../program-passes/finish/finish.ts';
import { aten } from '../rules/aten.ts';
import { native } from '../rules/native.ts';
import { type Lowered, type Lowering, lay } from '../rules/rule.ts';
import { stepNumbers } from '../step-numbers.ts';
import { frozenParts } from './frozen-parts.ts';
import { crossEntropy, type Labels } from './loss.ts';
import { lowerBackward, type ParameterGradient } from './lower-backward.ts';
import { followBatches } from './moving-statistics.ts';
import { trainingGraphPasses, trainingProgramPasses } from './training-passes.ts';
import { trainingStore } from './training-store.ts';

const rulesOf = { aten, native: lay(native, aten) };

/** Compiles the training step. @throws CompileError naming the layer or the option that does not fit. */
export function compileTraining(network: Graph, options: TrainingOptions): CompiledTraining {
  const { batch, precision, kernels = 'native', passes: choices } = options;
  checkNumbers(options);
  if (network.network.classes === 0 && options.projectEndpoint === undefined)
    throw new CompileError(`${network.network.name} has no classifier to train (classes: 0)`);
  const batchStatistics = (options.batchNorm ?? 'batch') === 'batch';
  const frozen = frozenParts(network, options);
  const graph = runPasses(frozen.trained, trainingGraphPasses, { context: undefined, choices });
  if (batchStatistics) refuseSingleValues(graph, batch);
  const updates = options.update ?? true;
  // Clipping needs the norm of all gradients before any weight is updated.
  const perWeight = kernels === 'native' && updates && options.clipNorm === undefined;
  // Native convolutions round the weights as they pack them; libtorch's need a rounded copy.
  const layout = layOut(network);
  const roundedCopy =
    precision === 'bfloat16' && kernels === 'aten' && layout.convolutions[1] > layout.convolutions[0];
  const emitter = new Emitter();
  const rates = learningRates(network, options.layerDecay);
  const update = new Update(emitter, options, rates);
  if (updates) update.begin();
  if (roundedCopy) {
    emitter.layer = 'weights in bfloat16';
    emitter.call('aten::copy_', [emitter.load('flat/bfloat16'), emitter.load('convolutions/weights')]);
  }
  const statistics = followBatches(emitter, {
    momentum: batchStatistics ? options.batchNormMomentum : 0,
    any: layout.statisticsLength > 0,
  });
  const lowering: Lowering = {
    ...evaluationLowering(emitter, graph, options),
    batchStatistics,
    batchNormMomentum: statistics.momentum,
    dropout: options.dropout ?? true,
    roundedParameters: kernels === 'aten',
    stored: (name, node) => (roundedCopy && node.op === 'conv' ? `bfloat16/${name}` : name),
  };
  const lowered = lowerForward(lowering, lay(frozen.lower(emitter), rulesOf[kernels]));
  statistics.finish();
  returnEndpoints(emitter, endpointIds(graph, options.endpoints ?? []), lowered);
  const seeds = lowerLoss(lowering, lowered, options);
  const weights: ParameterGradient[] = [];
  const receive = (gradient: ParameterGradient) => {
    if (perWeight && gradient.part === 'weight') weights.push(gradient);
    else emitter.call('aten::copy_', [emitter.load(`gradient/${gradient.name}`), gradient.value]);
  };
  lowerBackward(lowering, lowered, { seeds, receive });
  emitter.layer = perWeight ? 'optimizer' : 'gradient norm';
  const norm = perWeight ? update.applyEach(weights) : gradientNorm(emitter);
  emitter.output('gradientNorm', norm);
  if (updates && !perWeight) update.applyAll(norm);
  const { optimizer, averages = true } = options;
  const choicesOfStore = { optimizer, roundedCopy, perWeight, averages, groups: rates.groups };
  const store = trainingStore(layout, { ...choicesOfStore, computed: frozen.computed });
  const [[, backward] = [undefined, { slot: -1 }]] = seeds;
  const context = {
    ...{ store, backward: backward.slot, dtype: precision },
    bytes: precision === 'bfloat16' ? 2 : 4,
  };
  const upTo = frozen.last === undefined ? '' : ` frozen up to ${frozen.last}`;
  const draft = emitter.draft(`${network.network.name} train batch ${batch} ${precision}${upTo}`);
  const step = finish(runPasses(draft, trainingProgramPasses, { context, choices }));
  checkProgram(step, store);
  if (frozen.prepare) checkProgram(frozen.prepare, store);
  return { store, step, prepare: frozen.prepare };
}

/** Emits the loss and its outputs. Returns the gradients that the backward pass starts from, by node id. */
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
  const labels = labelsOf(emitter, options, classes);
  const seeds = new Map<number, Value>();
  const logits = resultOf(graph.logits);
  const main = crossEntropy(emitter, { logits, labels }, { batch, classes, labelSmoothing, weight: 1 });
  seeds.set(graph.logits, main.gradient);
  emitter.output('loss', main.loss);
  const predictions = emitter.call('aten::argmax', [logits, 1, false]);
  const errors = emitter.call('aten::ne.Tensor', [predictions, labels.labels]);
  emitter.output('wrong', emitter.call('aten::sum', [errors]));
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

/** The inputs that say what the images are. */
const labelsOf = (
  emitter: Emitter,
  { batch, mixedLabels = false, classWeights = false }: TrainingOptions,
  classes: number,
): Labels => ({
  labels: emitter.input('labels', 'int64', [batch]),
  mixed: mixedLabels
    ? {
        otherLabels: emitter.input('otherLabels', 'int64', [batch]),
        labelShare: emitter.input('labelShare', 'float32', [batch, 1]),
      }
    : undefined,
  classWeights: classWeights ? emitter.input('classWeights', 'float32', [classes]) : undefined,
});

/** @throws CompileError naming the number and its range */
function checkNumbers(options: TrainingOptions): void {
  const { batch, weightDecay, labelSmoothing, auxiliaryLossWeight, batchNormMomentum, clipNorm } = options;
  const { layerDecay } = options;
  const numbers = { batch, weightDecay, labelSmoothing, auxiliaryLossWeight, clipNorm, layerDecay };
  const momentum = batchNormMomentum === 'input' ? {} : { batchNormMomentum };
  const words = { what: 'training option', Failure: CompileError };
  checkOptions(stepNumbers, { ...numbers, ...momentum }, words);
  const { optimizer } = options;
  checkVariant(optimizers, { ...optimizer, kind: kindOf(optimizer) }, { ...words, path: 'optimizer.' });
}

/** The variance of a single value is zero, and its unbiased estimate is infinite. */
function refuseSingleValues(graph: Graph, batch: number): void {
  const single = graph.nodes.find(
    (node) => node.op.startsWith('batchNorm') && batch * node.shape[0] * node.shape[1] === 1,
  );
  if (single) {
    throw new CompileError(
      `${single.path}: batch normalisation sees one value per channel (batch 1 on a 1×1 grid); use a batch of at least 2 or a larger input`,
    );
  }
}

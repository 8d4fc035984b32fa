/** What all programs of a training have in common, decided before anything is lowered. */
import type { Graph } from '../../graph/graph.ts';
import { checkOptions, checkVariant } from '../../option.ts';
import { runPasses } from '../../passes/pass.ts';
import { CompileError } from '../compile-error.ts';
import { layOut } from '../layout.ts';
import { learningRates } from '../optimizers/learning-rates.ts';
import { kindOf, optimizers } from '../optimizers/optimizers.ts';
import type { TrainingOptions } from '../options.ts';
import { stepNumbers } from '../step-numbers.ts';
import { frozenParts } from './frozen-parts.ts';
import { planReplicas } from './replicas/plan-replicas.ts';
import { trainingGraphPasses } from './training-passes.ts';

export type TrainingPlan = ReturnType<typeof planTraining>;

/** @throws CompileError naming the layer or the option that does not fit */
export function planTraining(network: Graph, options: TrainingOptions) {
  const { batch, precision, kernels = 'native', passes: choices } = options;
  checkNumbers(options);
  if (network.network.classes === 0 && options.projectEndpoint === undefined)
    throw new CompileError(`${network.network.name} has no classifier to train (classes: 0)`);
  const replicas = planReplicas(options);
  const batchStatistics = (options.batchNorm ?? 'batch') === 'batch';
  const frozen = frozenParts(network, options);
  const graph = runPasses(frozen.trained, trainingGraphPasses, { context: undefined, choices });
  const normalisedTogether = batchStatistics && replicas?.synchronised ? replicas.processes : 1;
  if (batchStatistics) refuseSingleValues(graph, batch * normalisedTogether);
  const layout = layOut(network);
  const updates = options.update ?? true;
  // Clipping needs the norm of all gradients before any weight is updated.
  const inParts = kernels === 'native' && updates && options.clipNorm === undefined;
  return {
    options,
    kernels,
    replicas,
    batchStatistics,
    normalisedTogether,
    /** Where the batches' statistics go. */
    statistics:
      batchStatistics && layout.statisticsLength > 0 ? (replicas?.statistics ?? 'moving') : 'moving',
    frozen,
    graph,
    layout,
    rates: learningRates(network, { decay: options.layerDecay, residual: options.residualRate }),
    updates,
    /** Whether each weight is updated as soon as its gradient exists. */
    perWeight: inParts && !replicas,
    /** Whether the weights of each bucket are updated as soon as it arrives. */
    perBucket: inParts && replicas !== undefined,
    // Native convolutions round the weights as they pack them; libtorch's need a rounded copy.
    roundedCopy:
      precision === 'bfloat16' && kernels === 'aten' && layout.convolutions[1] > layout.convolutions[0],
  };
}

/** @throws CompileError naming the number and its range */
function checkNumbers(options: TrainingOptions): void {
  const { batch, weightDecay, labelSmoothing, auxiliaryLossWeight, batchNormMomentum, clipNorm } = options;
  const { layerDecay, residualRate } = options;
  const rates = { layerDecay, residualRate };
  const numbers = { batch, weightDecay, labelSmoothing, auxiliaryLossWeight, clipNorm, ...rates };
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

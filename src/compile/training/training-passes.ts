/** The training passes: over the graph before lowering, and over the program after. */
import type { Graph } from '../../graph/graph.ts';
import { exchangePooling } from '../../passes/exchange-pooling.ts';
import { fuseRelu } from '../../passes/fuse-relu.ts';
import { mergeSiblings } from '../../passes/merge-siblings.ts';
import type { Pass } from '../../passes/pass.ts';
import type { Program, Slot, StoreSpec } from '../program.ts';
import { absorbSums } from '../program-passes/absorb-sums.ts';
import { compactParts } from '../program-passes/compact-parts.ts';
import { placeInConcat } from '../program-passes/place-in-concat.ts';
import { reduceGradients } from '../program-passes/reduce-gradients.ts';
import { isRecomputationWorthwhile, rematerialise } from '../program-passes/rematerialise.ts';
import { reuseResults } from '../program-passes/reuse-results.ts';
import { updateEarly } from '../program-passes/update-early.ts';
import { writeToStore } from '../program-passes/write-to-store.ts';

export const trainingGraphPasses = [
  { name: 'exchangePooling', run: exchangePooling },
  { name: 'mergeSiblings', run: mergeSiblings },
  { name: 'fuseSumRelu', run: fuseRelu('scaledAdd') },
  { name: 'fuseNormRelu', run: fuseRelu('batchNorm') },
] as const satisfies readonly Pass<Graph>[];

/** What the passes over a training step need besides the program. */
export interface TrainingContext {
  readonly store: StoreSpec;
  /** The gradient that the backward pass starts from. */
  readonly backward: Slot;
  readonly dtype: 'float32' | 'bfloat16';
  /** Size of one value. */
  readonly bytes: number;
}

export const trainingProgramPasses = [
  { name: 'absorbSums', run: absorbSums },
  { name: 'compactParts', run: compactParts },
  { name: 'recompute', run: rematerialise, when: isRecomputationWorthwhile },
  { name: 'writeToStore', run: writeToStore },
  { name: 'reuseResults', run: reuseResults },
  { name: 'placeInConcat', run: placeInConcat },
  { name: 'updateImmediately', run: updateEarly },
  { name: 'reduceGradients', run: reduceGradients },
] as const satisfies readonly Pass<Program, TrainingContext>[];

/** The passes of an explanation: those of training over the graph, without the auxiliary head, and of inference over the program. */
import type { Graph } from '../../graph/graph.ts';
import type { Pass } from '../../passes/pass.ts';
import { withoutAuxiliary } from '../../passes/rewrite.ts';
import { inferenceProgramPasses } from '../inference/inference-passes.ts';
import { trainingGraphPasses } from '../training/training-passes.ts';

export const explanationGraphPasses = [
  { name: 'withoutAuxiliary', run: withoutAuxiliary },
  ...trainingGraphPasses,
] as const satisfies readonly Pass<Graph>[];

export const explanationProgramPasses = inferenceProgramPasses;

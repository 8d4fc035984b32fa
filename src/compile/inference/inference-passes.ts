/** The inference passes: over the graph before lowering, and over the program after. */
import type { Graph } from '../../graph/graph.ts';
import type { Int8Ranges } from '../../int8/quantisation.ts';
import { exchangePooling } from '../../passes/exchange-pooling.ts';
import { foldBatchNorm, foldResidualScale } from '../../passes/fold.ts';
import { fuseRelu } from '../../passes/fuse-relu.ts';
import { fuseSum } from '../../passes/fuse-sum.ts';
import { mergeSiblings } from '../../passes/merge-siblings.ts';
import type { Pass } from '../../passes/pass.ts';
import { withoutAuxiliary } from '../../passes/rewrite.ts';
import type { Program } from '../program.ts';
import { compactParts } from '../program-passes/compact-parts.ts';
import { reuseResults } from '../program-passes/reuse-results.ts';
import { placeRanges } from './int8/place-ranges.ts';

/** What the graph passes need besides the graph. */
export interface InferenceContext {
  readonly native: boolean;
  /** Names of the requested endpoints. */
  readonly endpoints: readonly string[];
  /** For int8. */
  readonly ranges?: Int8Ranges['ranges'] | undefined;
}

const idsOf = (graph: Graph, { endpoints }: InferenceContext): readonly number[] =>
  endpoints.flatMap((name) => graph.endpoints.get(name) ?? []);

export const inferenceGraphPasses = [
  {
    name: 'withoutAuxiliary',
    run: withoutAuxiliary,
    when: (graph, context) => idsOf(graph, context).every((id) => graph.nodes[id]?.head === 'main'),
  },
  { name: 'foldBatchNorm', run: foldBatchNorm },
  { name: 'foldResidualScale', run: foldResidualScale },
  { name: 'exchangePooling', run: exchangePooling },
  {
    name: 'placeRanges',
    run: (graph, { ranges }) => placeRanges(graph, ranges ?? {}),
    when: (_, { ranges }) => ranges !== undefined,
  },
  { name: 'mergeSiblings', run: mergeSiblings },
  {
    name: 'fuseConvSum',
    run: (graph, context) => fuseSum(graph, { keep: idsOf(graph, context) }),
    when: (_, { native }) => native,
  },
  { name: 'fuseConvRelu', run: fuseRelu('conv') },
] as const satisfies readonly Pass<Graph, InferenceContext>[];

export const inferenceProgramPasses = [
  { name: 'compactParts', run: compactParts },
  { name: 'reuseResults', run: reuseResults },
] as const satisfies readonly Pass<Program>[];

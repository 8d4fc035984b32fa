/** Converts a model to an ONNX graph: passes over our graph, then ONNX's operators. */

import type { Graph } from '../../graph/graph.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { exchangePooling } from '../../passes/exchange-pooling.ts';
import { foldBatchNorm, foldResidualScale } from '../../passes/fold.ts';
import { mergeSiblings } from '../../passes/merge-siblings.ts';
import { withoutAuxiliary } from '../../passes/rewrite.ts';
import type { ModelInput } from '../model-metadata.ts';
import type { OnnxGraph } from './onnx-graph.ts';
import { writeGraph } from './write-graph.ts';

/**
 * Rewrites before writing, each exact up to rounding. docs/deployment.md has their effects. Merging siblings does not help on ONNX
 * Runtime, which has to split the results again, and is off by default.
 */
export const exportPasses = [
  'foldBatchNorm',
  'foldResidualScale',
  'exchangePooling',
  'mergeSiblings',
] as const;
/** Which rewrites of the graph are made before writing. */
export type ExportPasses = { readonly [pass in (typeof exportPasses)[number]]?: boolean };

export interface GraphOptions {
  readonly input?: ModelInput;
  readonly softmax?: boolean;
  readonly passes?: ExportPasses;
}

/** The graph as it is written. */
export function exportGraph(graph: Graph, passes: ExportPasses = {}): Graph {
  const enabled = [
    withoutAuxiliary,
    passes.foldBatchNorm !== false && foldBatchNorm,
    passes.foldResidualScale !== false && foldResidualScale,
    passes.exchangePooling !== false && exchangePooling,
    passes.mergeSiblings === true && mergeSiblings,
  ];
  return enabled.reduce<Graph>((current, pass) => (pass ? pass(current) : current), graph);
}

/** Converts a model to an ONNX graph in float32. */
export const onnxGraphOf = (
  { graph, description, read }: Pick<ModelFile, 'graph' | 'description' | 'read'>,
  { input = 'float32', softmax = false, passes }: GraphOptions = {},
): Promise<OnnxGraph> =>
  writeGraph(exportGraph(graph, passes), {
    read,
    input,
    softmax,
    scaling: description.preprocessing,
  });

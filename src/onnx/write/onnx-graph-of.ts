/** Converts a model to an ONNX graph: passes over our graph, then ONNX's operators. */

import type { Graph } from '../../graph/graph.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { exchangePooling } from '../../passes/exchange-pooling.ts';
import { foldBatchNorm, foldResidualScale } from '../../passes/fold.ts';
import { mergeSiblings } from '../../passes/merge-siblings.ts';
import { type Choices, type Pass, runPasses } from '../../passes/pass.ts';
import { withoutAuxiliary } from '../../passes/rewrite.ts';
import type { ModelInput } from '../model-metadata.ts';
import type { OnnxGraph } from '../onnx-graph.ts';
import { writeGraph } from './write-graph.ts';

/**
 * Rewrites before writing, each exact up to rounding. docs/deployment.md has their effects. Merging siblings does not help on ONNX
 * Runtime, which has to split the results again, and is off by default.
 */
export const exportPasses = [
  { name: 'foldBatchNorm', run: foldBatchNorm },
  { name: 'foldResidualScale', run: foldResidualScale },
  { name: 'exchangePooling', run: exchangePooling },
  { name: 'mergeSiblings', run: mergeSiblings, when: () => false },
] as const satisfies readonly Pass<Graph>[];
/** Which rewrites of the graph are made before writing. */
export type ExportPasses = Choices<(typeof exportPasses)[number]['name']>;

export interface GraphOptions {
  readonly input?: ModelInput;
  readonly softmax?: boolean;
  readonly passes?: ExportPasses;
  /** A second output `class_activation`, [n, classes, h, w]: what each cell of the last grid gives to each class. */
  readonly classActivation?: boolean;
  /** Another output `features`, [n, features]: what the classifier reads, by which images are embedded. */
  readonly features?: boolean;
}

/** The graph as it is written. */
export const exportGraph = (graph: Graph, choices?: ExportPasses): Graph =>
  runPasses(withoutAuxiliary(graph), exportPasses, { context: undefined, choices });

/** Converts a model to an ONNX graph in float32. */
export const onnxGraphOf = (
  { graph, description, read }: Pick<ModelFile, 'graph' | 'description' | 'read'>,
  {
    input = 'float32',
    softmax = false,
    passes,
    classActivation = false,
    features = false,
  }: GraphOptions = {},
): Promise<OnnxGraph> =>
  writeGraph(exportGraph(graph, passes), {
    read,
    input,
    softmax,
    classActivation,
    features,
    scaling: description.preprocessing,
  });

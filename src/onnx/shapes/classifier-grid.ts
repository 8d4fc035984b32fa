/**
 * Class activation maps (arXiv 1512.04150) of any file whose classifier reads the mean of a grid: its row of the label on each cell, which
 * sums up to the logit without the bias. For such classifiers Grad-CAM (arXiv 1610.02391) is the same, but for its ReLU. Pure; also for
 * browsers.
 */
import type { ShapedGraph, ShapedNode } from './value.ts';

/** Names of values in the file. */
export interface ClassifierGrid {
  /** [1, channels, height, width] */
  readonly grid: string;
  /** [classes, channels] */
  readonly weight: string;
}

/** Operators between a classifier and the mean that change no order. */
const passing: ReadonlySet<string> = new Set(['Flatten', 'QuantizeLinear', 'DequantizeLinear', 'Cast']);

/** Undefined for a classifier with hidden layers, or one that reads something else. */
export function classifierGrid({ nodes }: ShapedGraph): ClassifierGrid | undefined {
  const maker = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const classifier = nodes.findLast(({ op }) => op === 'Gemm');
  const isTransposed = classifier?.attributes.transB === 1;
  if (!classifier || !isTransposed) return undefined;
  const [input, weight] = classifier.inputs as [string, string];
  let mean: ShapedNode | undefined = maker.get(input);
  while (mean && passing.has(mean.op)) mean = maker.get(mean.inputs[0] as string);
  return mean?.op === 'GlobalAveragePool' ? { grid: mean.inputs[0] as string, weight } : undefined;
}

/** What each cell adds to the label's logit, row by row. */
export function activationOf(
  grid: { readonly dims: readonly number[]; readonly values: Float32Array },
  { weight, label }: { readonly weight: Float32Array; readonly label: number },
): Float32Array {
  const [, channels = 0, height = 0, width = 0] = grid.dims;
  const cells = height * width;
  const map = new Float32Array(cells);
  for (let channel = 0; channel < channels; channel++) {
    const factor = (weight[label * channels + channel] as number) / cells;
    for (let cell = 0; cell < cells; cell++)
      map[cell] = (map[cell] as number) + factor * (grid.values[channel * cells + cell] as number);
  }
  return map;
}

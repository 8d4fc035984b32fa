/** From gradients to one value for each cell of a grid, as the papers of the methods say. */
import type { HostTensor } from '../engine/engine.ts';
import type { ValueMap } from '../images/heatmap/heatmap.ts';

/**
 * Grad-CAM (arXiv 1610.02391, equations 1 and 2): each channel of a part weighs as much as the mean of its gradient, and what speaks
 * against the class counts as zero.
 * @param tensors both [1, c, h, w]
 */
export function gradCam({
  activation,
  gradient,
}: {
  readonly activation: HostTensor;
  readonly gradient: HostTensor;
}): ValueMap {
  const [, channels = 0, height = 0, width = 0] = activation.shape;
  const cells = height * width;
  const [results, gradients] = [activation.data as Float32Array, gradient.data as Float32Array];
  const values = new Float64Array(cells);
  for (let channel = 0; channel < channels; channel++) {
    const start = channel * cells;
    let weight = 0;
    for (let cell = 0; cell < cells; cell++) weight += (gradients[start + cell] as number) / cells;
    for (let cell = 0; cell < cells; cell++)
      values[cell] = (values[cell] as number) + weight * (results[start + cell] as number);
  }
  return { height, width, values: Float32Array.from(values, (value) => Math.max(value, 0)) };
}

/**
 * Saliency (arXiv 1312.6034, section 3.1): the largest absolute gradient among the channels of each pixel.
 * @param gradients of the scaled input, [1, c, h, w] each; they are averaged first (SmoothGrad, arXiv 1706.03825)
 */
export function saliency(gradients: readonly HostTensor[]): ValueMap {
  const [, channels = 0, height = 0, width = 0] = gradients[0]?.shape ?? [];
  const cells = height * width;
  const values = new Float32Array(cells);
  for (let cell = 0; cell < cells; cell++)
    for (let channel = 0; channel < channels; channel++) {
      const at = channel * cells + cell;
      const mean = gradients.reduce((sum, { data }) => sum + Number(data[at]), 0) / gradients.length;
      values[cell] = Math.max(values[cell] as number, Math.abs(mean));
    }
  return { height, width, values };
}

/** The value that a fraction of all values do not exceed. */
export function percentile({ values }: ValueMap, fraction: number): number {
  const sorted = values.toSorted();
  return sorted[Math.round(fraction * (sorted.length - 1))] as number;
}

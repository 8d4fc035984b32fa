/** Windows on grids: meaning of their marks, same padding, and the output grid. */
import { InceptionError } from '../errors.ts';
import {
  type ConvMarks,
  type MarkMeaning,
  meaningOf,
  type Network,
  type Window,
  windowSize,
} from '../networks/notation.ts';
import { formatShape, type Pair } from './graph.ts';

/** The figures are inconsistent: branches disagree, or the input is too small. */
export class GraphError extends InceptionError {
  override name = 'GraphError';
}

/** A window larger than its grid. A separate class, because the search for the minimum input size catches it. */
export class GridTooSmall extends GraphError {}

/** @throws GraphError naming the layer. */
export function readMarks(marks: ConvMarks | undefined, path: string): MarkMeaning {
  try {
    return meaningOf(marks);
  } catch (error) {
    throw new GraphError(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** @throws GraphError naming the layer. */
export function readWindow(window: Window, path: string): Pair {
  try {
    return windowSize(window);
  } catch (error) {
    throw new GraphError(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

interface Sliding {
  readonly window: Pair;
  readonly stride: number;
}

/** Padding before and after the grid; see {@link Network.samePadding}. */
export function samePadding(
  grid: Pair,
  { window, stride, as = 'tensorflow' }: Sliding & { as: Network['samePadding'] },
): { before: Pair; after: Pair } {
  const along = (axis: 0 | 1): number => {
    if (as === 'torch') return window[axis] - 1;
    const steps = Math.ceil(grid[axis] / stride) - 1;
    return Math.max(0, steps * stride + window[axis] - grid[axis]);
  };
  const [down, across] = [along(0), along(1)];
  const before: Pair = [Math.floor(down / 2), Math.floor(across / 2)];
  return { before, after: [down - before[0], across - before[1]] };
}

/** The output grid. @throws GridTooSmall naming the layer. */
export function outputGrid(
  grid: Pair,
  { window, stride, padding, path }: Sliding & { padding: Pair; path: string },
): Pair {
  const along = (axis: 0 | 1) => Math.floor((grid[axis] + 2 * padding[axis] - window[axis]) / stride) + 1;
  const output: [number, number] = [along(0), along(1)];
  if (output[0] < 1 || output[1] < 1) {
    throw new GridTooSmall(
      `${path}: its ${formatShape(window)} window is larger than the ${formatShape(grid)} grid it reads`,
    );
  }
  return output;
}

/**
 * Multinomial logistic regression with L2 regularisation on standardised features. Minimised is the weighted mean of the
 * cross-entropy plus strength / 2 · |weight|²; the bias is not regularised. scikit-learn's C is 1 / (strength · sum of the rows' weights).
 * What computes the losses is given: an engine, or plain code in a page. Pure; also for browsers.
 */
import { minimise } from './lbfgs.ts';

export interface RegressionData {
  /** [rows, features], standardised. */
  readonly values: Float32Array;
  /** From 0, one for each row. */
  readonly labels: readonly number[];
  readonly classes: number;
}

export interface FitOptions {
  /** Weight of each row in the mean; rows of weight 0 are predicted and not learnt from. */
  readonly weights: ArrayLike<number>;
  readonly strength: number;
  /** A fit to begin with, as that of the strength before. Default: zeros. */
  readonly start?: Fit | undefined;
  /**
   * Largest component of the gradient at the solution, for up to ten classes; with more it is as many times smaller, since a class's
   * share of the mean is. Default 1e-4.
   */
  readonly tolerance?: number | undefined;
}

export interface Fit {
  /** [classes, features], for standardised features. */
  readonly weight: Float64Array;
  /** [classes] */
  readonly bias: Float64Array;
  /** Cross-entropy of every row, in nats, and its most probable class. */
  readonly losses: Float32Array;
  readonly predicted: readonly number[];
  readonly iterations: number;
  readonly converged: boolean;
}

/** With a thousand classes the gradient of every component begins below what is a rough solution for ten. */
const usualClasses = 2;

/** Losses and gradients of the weighted mean, without the regularisation, at a weight and a bias. */
export interface RowsEvaluation {
  /** Cross-entropy of every row, in nats. */
  readonly losses: Float32Array;
  /** Most probable class of every row. */
  readonly predicted: ArrayLike<number | bigint>;
  /** [classes, features] */
  readonly weightGradient: ArrayLike<number>;
  /** [classes] */
  readonly biasGradient: ArrayLike<number>;
}

/** `point` is the weight and then the bias; `share` the part of each row in the mean. */
export type EvaluateRows = (point: Float64Array, share: Float32Array) => Promise<RowsEvaluation>;

/** Data that are ready for several fits. */
export interface Regression {
  readonly data: RegressionData;
  fit(options: FitOptions): Promise<Fit>;
  release(): void;
}

/** The regression whose rows are evaluated by `evaluate`. */
export function regressionBy(
  evaluate: EvaluateRows,
  { data, release }: Pick<Regression, 'data' | 'release'>,
): Regression {
  const { values, labels, classes } = data;
  const rows = labels.length;
  const size = classes * (values.length / rows);
  return {
    data,
    release,
    fit: async ({ weights, strength, start, tolerance = 1e-4 }) => {
      const total = sumOf(Array.from(weights));
      const share = Float32Array.from(weights, (weight) => weight / total);
      const objective = async (point: Float64Array) => {
        const { losses, weightGradient, biasGradient } = await evaluate(point, share);
        const gradient = new Float64Array(point.length);
        gradient.set(weightGradient, 0);
        gradient.set(biasGradient, size);
        let value = 0;
        // Rows' losses are summed in float64: a float32 sum would end the search early.
        for (let row = 0; row < rows; row++) value += (share[row] as number) * (losses[row] as number);
        for (let at = 0; at < size; at++) {
          const weight = point[at] as number;
          gradient[at] = (gradient[at] as number) + strength * weight;
          value += (strength / 2) * weight * weight;
        }
        return { value, gradient };
      };
      const begin = new Float64Array(size + classes);
      if (start) {
        begin.set(start.weight, 0);
        begin.set(start.bias, size);
      }
      const { point, iterations, converged } = await minimise(objective, {
        start: begin,
        tolerance: tolerance * Math.min(1, usualClasses / classes),
      });
      // The last point that was tried need not be the one that was taken.
      const { losses, predicted } = await evaluate(point, share);
      return {
        weight: point.slice(0, size),
        bias: point.slice(size),
        losses,
        predicted: Array.from(predicted, Number),
        iterations,
        converged,
      };
    },
  };
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

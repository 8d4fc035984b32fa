/**
 * Multinomial logistic regression with L2 regularisation on standardised features. Minimised is the weighted mean of the
 * cross-entropy plus strength / 2 · |weight|²; the bias is not regularised. scikit-learn's C is 1 / (strength · sum of the rows' weights).
 */
import type { Engine } from '../engine/engine.ts';
import { minimise } from './lbfgs.ts';
import { regressionProgram, regressionStore, stored } from './regression-program.ts';

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

/** Data in an engine, for several fits. */
export interface Regression {
  readonly data: RegressionData;
  fit(options: FitOptions): Promise<Fit>;
  release(): void;
}

export async function openRegression(engine: Engine, data: RegressionData): Promise<Regression> {
  const { values, labels, classes } = data;
  const rows = labels.length;
  const features = values.length / rows;
  const shape = { rows, features, classes };
  const store = await engine.createStore(regressionStore(shape));
  await store.write(stored.features, values);
  await store.write(stored.labels, BigInt64Array.from(labels, BigInt));
  const program = await engine.load(regressionProgram(shape), store);
  const size = classes * features;
  return {
    data,
    fit: async ({ weights, strength, start, tolerance = 1e-4 }) => {
      const total = sumOf(Array.from(weights));
      const share = Float32Array.from(weights, (weight) => weight / total);
      const run = (point: Float64Array) =>
        program.run({
          weight: Float32Array.from(point.subarray(0, size)),
          bias: Float32Array.from(point.subarray(size)),
          share,
        });
      const objective = async (point: Float64Array) => {
        const { losses, weightGradient, biasGradient } = await run(point);
        const gradient = new Float64Array(point.length);
        gradient.set(weightGradient?.data as Float32Array, 0);
        gradient.set(biasGradient?.data as Float32Array, size);
        const rowLosses = losses?.data as Float32Array;
        let value = 0;
        // Rows' losses are summed in float64: a float32 sum would end the search early.
        for (let row = 0; row < rows; row++) value += (share[row] as number) * (rowLosses[row] as number);
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
      const { losses, predicted } = await run(point);
      return {
        weight: point.slice(0, size),
        bias: point.slice(size),
        losses: losses?.data as Float32Array,
        predicted: Array.from(predicted?.data as BigInt64Array, Number),
        iterations,
        converged,
      };
    },
    release: () => {
      program.release();
      store.release();
    },
  };
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

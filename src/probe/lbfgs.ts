/**
 * L-BFGS (Nocedal 1980; Nocedal and Wright, Numerical Optimization, algorithm 7.4) for a smooth function whose values come from
 * another thread. The step along a direction is found by bisection between the weak Wolfe conditions (Lewis and Overton 2013), which
 * keep every pair's curvature positive and, for a convex function, nearly always accept the first step.
 */

/** A function's value and gradient. */
export interface Evaluation {
  readonly value: number;
  readonly gradient: Float64Array;
}

export type Objective = (point: Float64Array) => Promise<Evaluation>;

export interface MinimiseOptions {
  /** Where to begin. */
  readonly start: Float64Array;
  /** Converged when no component of the gradient is larger. Default 1e-4, as scikit-learn's. */
  readonly tolerance?: number;
  /** Default 1000. */
  readonly maxIterations?: number;
  /** Pairs of steps and differences that are remembered. Default 10. */
  readonly memory?: number;
}

export interface Minimum extends Evaluation {
  readonly point: Float64Array;
  readonly iterations: number;
  /** False if the iterations ran out. A function that no step makes smaller, in the precision that it is computed in, is at its minimum. */
  readonly converged: boolean;
}

/** A step and the difference of the gradients that it made; in float32, since there are twenty of the size of the point. */
interface Pair {
  readonly step: Float32Array;
  readonly difference: Float32Array;
  /** 1 / (step · difference) */
  readonly scale: number;
}

/** Sufficient decrease and curvature of the Wolfe conditions. */
const [decrease, curvature] = [1e-4, 0.9];
const maxHalvings = 25;

export async function minimise(
  objective: Objective,
  { start, tolerance = 1e-4, maxIterations = 1000, memory = 10 }: MinimiseOptions,
): Promise<Minimum> {
  let point = start;
  let { value, gradient } = await objective(point);
  let pairs: Pair[] = [];
  for (let iterations = 0; ; iterations++) {
    if (largest(gradient) <= tolerance) return { point, value, gradient, iterations, converged: true };
    if (iterations === maxIterations) return { point, value, gradient, iterations, converged: false };
    const direction = descentDirection(gradient, pairs);
    const first = pairs.length === 0 ? Math.min(1, 1 / norm(gradient)) : 1;
    const next = await searchLine(objective, { point, value, gradient, direction, first });
    if (!next) {
      if (pairs.length === 0) return { point, value, gradient, iterations, converged: true };
      // Rounding may have spoilt the curvature: once more along the gradient.
      pairs = [];
      continue;
    }
    pairs = [...pairs, pairOf({ point, gradient }, next)].slice(-memory);
    ({ point, value, gradient } = next);
  }
}

/** The two loops: the negative gradient times an approximation of the inverse Hessian. */
function descentDirection(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const direction = gradient.map((each) => -each);
  const factors: number[] = [];
  for (const { step, difference, scale } of pairs.toReversed()) {
    const factor = scale * dot(step, direction);
    factors.push(factor);
    addScaled(direction, difference, -factor);
  }
  const last = pairs.at(-1);
  if (last) {
    const size = 1 / (last.scale * dot(last.difference, last.difference));
    for (let at = 0; at < direction.length; at++) direction[at] = (direction[at] as number) * size;
  }
  for (const { step, difference, scale } of pairs)
    addScaled(direction, step, (factors.pop() as number) - scale * dot(difference, direction));
  return direction;
}

interface Line extends Evaluation {
  readonly point: Float64Array;
  readonly direction: Float64Array;
  /** The first step to try. */
  readonly first: number;
}

/** Undefined if no step makes the value smaller. */
async function searchLine(
  objective: Objective,
  { point, value, gradient, direction, first }: Line,
): Promise<(Evaluation & { readonly point: Float64Array }) | undefined> {
  const slope = dot(gradient, direction);
  let [low, high, step] = [0, Number.POSITIVE_INFINITY, first];
  for (let halvings = 0; halvings < maxHalvings; halvings++) {
    const there = point.map((each, at) => each + step * (direction[at] as number));
    const evaluated = await objective(there);
    const isTooFar = !(evaluated.value <= value + decrease * step * slope);
    if (isTooFar) high = step;
    else if (dot(evaluated.gradient, direction) < curvature * slope) low = step;
    else return evaluated.value < value ? { ...evaluated, point: there } : undefined;
    step = high === Number.POSITIVE_INFINITY ? 2 * low : (low + high) / 2;
  }
  return undefined;
}

function pairOf(
  before: { readonly point: Float64Array; readonly gradient: Float64Array },
  after: { readonly point: Float64Array; readonly gradient: Float64Array },
): Pair {
  const step = Float32Array.from(after.point, (each, at) => each - (before.point[at] as number));
  const difference = Float32Array.from(after.gradient, (each, at) => each - (before.gradient[at] as number));
  return { step, difference, scale: 1 / dot(step, difference) };
}

type Vector = Float64Array | Float32Array;

function dot(a: Vector, b: Vector): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += (a[at] as number) * (b[at] as number);
  return sum;
}

function addScaled(target: Float64Array, other: Vector, factor: number): void {
  for (let at = 0; at < target.length; at++)
    target[at] = (target[at] as number) + factor * (other[at] as number);
}

const norm = (vector: Vector): number => Math.sqrt(dot(vector, vector));

function largest(vector: Vector): number {
  let most = 0;
  for (const each of vector) most = Math.max(most, Math.abs(each));
  return most;
}

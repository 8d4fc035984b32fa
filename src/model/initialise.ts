/** Initial parameter values. Each parameter has its own random stream, so values depend on seed and name, not on order. */

import type { Store } from '../engine/engine.ts';
import { elementCount, type Graph, type Parameter, parametersOf, type Role } from '../graph/graph.ts';
import { type Random, randomFor } from '../random.ts';

const fanIn = ({ shape }: Parameter): number => elementCount(shape.slice(1));

type Initialiser = (parameter: Parameter, random: Random) => Float32Array;

const constant =
  (value: number): Initialiser =>
  ({ shape }) =>
    new Float32Array(elementCount(shape)).fill(value);

/** Truncated normal at two deviations with variance factor / fan-in, as TF-Slim's variance_scaling. */
const varianceScaling =
  (factor: number): Initialiser =>
  (parameter, random) => {
    // Truncation at two deviations reduces the standard deviation to this fraction.
    const deviation = Math.sqrt(factor / fanIn(parameter)) / 0.87962566103423978;
    const values = new Float32Array(elementCount(parameter.shape));
    for (let index = 0; index < values.length; index++) values[index] = deviation * truncatedNormal(random);
    return values;
  };

function truncatedNormal(random: Random): number {
  for (;;) {
    // Box–Muller, using one of its two values.
    const value = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    if (Math.abs(value) < 2) return value;
  }
}

/** Factor 2 keeps the variance through convolution and ReLU (arXiv 1502.01852); 1 suits layers without a ReLU. */
const initialisers: Readonly<Record<Role, Initialiser>> = {
  convWeight: varianceScaling(2),
  residualWeight: varianceScaling(1),
  convBias: constant(0),
  linearWeight: varianceScaling(1),
  hiddenWeight: varianceScaling(2),
  linearBias: constant(0),
  gamma: constant(1),
  beta: constant(0),
  movingMean: constant(0),
  movingVariance: constant(1),
};

interface InitialOptions {
  /** Factor of the last convolution of each residual block. Default 1. */
  readonly residualInit?: number;
}

/** Initial values of one parameter, in C order of its shape. */
export function initialValues(
  parameter: Parameter,
  seed: number,
  { residualInit = 1 }: InitialOptions = {},
): Float32Array {
  const letters = Array.from(parameter.name, (letter) => letter.charCodeAt(0));
  const values = initialisers[parameter.role](parameter, randomFor(seed, ...letters));
  return parameter.role === 'residualWeight' && residualInit !== 1
    ? values.map((value) => value * residualInit)
    : values;
}

/** Initialises a training store: parameters, statistics, and averages equal to the parameters. */
export async function initialise(
  store: Store,
  graph: Graph,
  { seed, ...options }: InitialOptions & { readonly seed: number },
): Promise<void> {
  for (const parameter of parametersOf(graph)) {
    await store.write(parameter.name, initialValues(parameter, seed, options));
  }
  await startAverages(store);
  await store.seed(seed);
}

/** Sets the averages to the weights. */
export async function startAverages(store: Store): Promise<void> {
  const { data } = await store.read('flat/weights');
  await store.write('flat/averages', data);
}

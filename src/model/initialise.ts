/** First values of parameters, each from a random stream of its own: they depend on seed and name, not on order. */

import type { Store } from '../engine/engine.ts';
import { elementCount, type Graph, type Parameter, parametersOf, type Role } from '../graph/graph.ts';
import { type Random, randomFor } from '../random.ts';

const fanIn = ({ shape }: Parameter): number => elementCount(shape.slice(1));

type Filling = (parameter: Parameter, random: Random) => Float32Array;

const constant =
  (value: number): Filling =>
  ({ shape }) =>
    new Float32Array(elementCount(shape)).fill(value);

/** Truncated normal at two deviations with variance factor / fan-in, as TF-Slim's variance_scaling. */
const varianceScaling =
  (factor: number): Filling =>
  (parameter, random) => {
    // Cutting at two deviations leaves this share of the deviation.
    const deviation = Math.sqrt(factor / fanIn(parameter)) / 0.87962566103423978;
    const values = new Float32Array(elementCount(parameter.shape));
    for (let index = 0; index < values.length; index++) values[index] = deviation * truncatedNormal(random);
    return values;
  };

function truncatedNormal(random: Random): number {
  for (;;) {
    // Box–Muller, one of the two.
    const value = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    if (Math.abs(value) < 2) return value;
  }
}

/** Factor 2 keeps the variance through convolution and ReLU (arXiv 1502.01852); 1 suits what no ReLU follows. */
const fillings: Readonly<Record<Role, Filling>> = {
  convWeight: varianceScaling(2),
  residualWeight: varianceScaling(1),
  convBias: constant(0),
  linearWeight: varianceScaling(1),
  linearBias: constant(0),
  gamma: constant(1),
  beta: constant(0),
  movingMean: constant(0),
  movingVariance: constant(1),
};

/** First values of one parameter, in C order of its shape. */
export function initialValues(parameter: Parameter, seed: number): Float32Array {
  const letters = Array.from(parameter.name, (letter) => letter.charCodeAt(0));
  return fillings[parameter.role](parameter, randomFor(seed, ...letters));
}

/** Fills a training's store: parameters, statistics, and averages that equal the parameters. */
export async function initialise(store: Store, graph: Graph, seed: number): Promise<void> {
  for (const parameter of parametersOf(graph)) {
    await store.write(parameter.name, initialValues(parameter, seed));
  }
  await startAverages(store);
  await store.seed(seed);
}

/** The averages begin at the weights. */
export async function startAverages(store: Store): Promise<void> {
  const { data } = await store.read('flat/weights');
  await store.write('flat/averages', data);
}

/** Small models with reproducible weights for tests, without training and without an engine. */
import { buildGraph } from '../src/graph/build-graph.ts';
import type { Parameter, Role } from '../src/graph/graph.ts';
import { standardPreprocessing } from '../src/images/preprocess.ts';
import type { ModelDescription } from '../src/model/description.ts';
import type { ModelFile } from '../src/model/model-file.ts';
import { configure, findNetwork, type NetworkOptions } from '../src/networks/networks.ts';
import { type GoldenRole, goldenTensor } from './golden/prng.ts';

const roles: Readonly<Record<Role, GoldenRole>> = {
  convWeight: 'conv_weight',
  residualWeight: 'conv_weight',
  convBias: 'conv_bias',
  linearWeight: 'linear_weight',
  hiddenWeight: 'linear_weight',
  linearBias: 'linear_bias',
  gamma: 'bn_weight',
  beta: 'bn_bias',
  movingMean: 'bn_mean',
  movingVariance: 'bn_var',
};

/** Values from the fixtures' generator. Statistics differ from those of a fresh network, so that errors in them show. */
export function sampleValues({ name, shape, role }: Parameter): Float32Array {
  const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
  return goldenTensor({ name, shape, role: roles[role], fan_in: fanIn });
}

/** A quarter of the width, one block of each kind, and the smallest input that every network accepts. */
export const sampleOptions = {
  classes: 7,
  inputSize: 75,
  width: 0.25,
  blocks: { A: 1, B: 1, C: 1 },
} satisfies NetworkOptions;

export function sampleModel(
  network: string,
  differences: NetworkOptions = {},
  overrides: Partial<ModelDescription> = {},
): ModelFile {
  const options = { ...sampleOptions, ...differences };
  const graph = buildGraph(configure(findNetwork(network), options));
  const [height, width, channels] = graph.network.input;
  return {
    graph,
    description: {
      network,
      options,
      classes: Array.from({ length: graph.network.classes }, (_, index) => `class ${index}`),
      preprocessing: standardPreprocessing([height, width], channels === 1 ? { channels: 1 } : {}),
      ...overrides,
    },
    source: `a small ${network}`,
    read: async (parameter) => sampleValues(parameter),
    close: async () => undefined,
  };
}

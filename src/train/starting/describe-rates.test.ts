/** Counts by hand from the parts of a small network. */
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../graph/build-graph.ts';
import { elementCount, isStatistic, parametersOf } from '../../graph/graph.ts';
import { freeze, partsOf } from '../../graph/parts.ts';
import { configure, findNetwork } from '../../networks/networks.ts';
import { describeRates } from './describe-weights.ts';

const graph = buildGraph(
  configure(findNetwork('inception-v4'), { width: 0.125, blocks: { A: 1, B: 1, C: 1 }, inputSize: 75 }),
);
const size = (parameters: ReturnType<typeof parametersOf>) =>
  parameters
    .filter((one) => !isStatistic(one))
    .reduce((sum, { shape }) => sum + elementCount(shape), 0)
    .toLocaleString('en-US');

describe('the line of a training that leaves parts as they are', () => {
  it('is not there without them', () => {
    expect(describeRates({ freeze: null, layerDecay: null, learningRate: 0.1 }, graph)).toEqual([]);
  });

  it('counts what is frozen', () => {
    const parts = partsOf(graph);
    const end = parts.findIndex(({ name }) => name === 'reductionA') + 1;
    const before = parts.slice(0, end).flatMap(({ parameters }) => parameters);
    const recipe = { freeze: 'reductionA', layerDecay: null, learningRate: 0.1 };
    expect(describeRates(recipe, freeze(graph, 'reductionA'))).toEqual([
      `frozen up to reductionA: ${size(before)} of ${size(parametersOf(graph))} parameters, and the moving statistics there`,
    ]);
  });

  it('names the rate of the first part that is trained', () => {
    // stem, A, reduction A, B, reduction B, C, classifier
    expect(describeRates({ freeze: null, layerDecay: 0.5, learningRate: 0.64 }, graph)).toEqual([
      'learning rates: 0.64 at the classifier, 0.5 of it for each part before, 0.01 at the first that is trained',
    ]);
  });
});

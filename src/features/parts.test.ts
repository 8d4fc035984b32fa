import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import { configure, findNetwork } from '../networks/networks.ts';
import { candidateParts, classifierInput, findPart } from './parts.ts';

const graph = buildGraph(configure(findNetwork('inception-v4'), { classes: 10, auxiliary: true }));

describe('findPart', () => {
  it("takes the classifier's input by default", () => {
    expect(findPart(graph)).toEqual({ name: classifierInput, endpoint: 'dropout', length: 1536 });
  });

  it('takes parts and blocks by name', () => {
    expect(findPart(graph, 'inceptionB')).toMatchObject({ endpoint: 'inceptionB', length: 1024 });
    expect(findPart(graph, 'inceptionA/2')).toMatchObject({ endpoint: 'inceptionA/2', length: 384 });
  });

  it('refuses what is no part before the classifier, and says which are', () => {
    const message =
      "features: inception-v4 has no part 'NAME' before its classifier; expected classifier, stem, inceptionA, reductionA, inceptionB, reductionB, inceptionC, averagePooling, dropout, or a block as inceptionA/0";
    for (const name of ['mixed_6a', 'logits', 'auxiliary/logits'])
      expect(() => findPart(graph, name)).toThrow(message.replace('NAME', name));
  });

  it('takes the last layer of a network without a classifier', () => {
    const headless = buildGraph(configure(findNetwork('inception-v4'), { classes: 0 }));
    expect(findPart(headless)).toMatchObject({ name: classifierInput, length: 1536 });
  });
});

describe('candidateParts', () => {
  it('lists every part once, last first, without the stem and without poolings of a part', () => {
    expect(candidateParts(graph).map(({ name }) => name)).toEqual([
      'classifier',
      'reductionB',
      'inceptionB',
      'reductionA',
      'inceptionA',
    ]);
  });
});

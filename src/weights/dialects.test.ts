import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import { configure, findNetwork } from '../networks/networks.ts';
import { timmNames, timmStages } from './timm-names.ts';

const graphOf = (name: string, blocks = {}) => buildGraph(configure(findNetwork(name), { blocks }));

describe('timmNames', () => {
  it('differs from Cadene in the classifier of Inception-ResNet-v2 alone', () => {
    const graph = graphOf('inception-resnet-v2-released');
    const [timm, cadene] = [timmNames(graph, 'timm'), timmNames(graph, 'cadene')];
    const different = [...timm]
      .filter(([ours, theirs]) => cadene.get(ours) !== theirs)
      .map(([, theirs]) => theirs);
    expect(different).toEqual(['classif.weight', 'classif.bias']);
  });

  it('follows other counts of blocks, each name once', () => {
    for (const name of ['inception-v4', 'inception-resnet-v2-released']) {
      const names = [...timmNames(graphOf(name, { A: 1, B: 2, C: 2 })).values()];
      expect(new Set(names).size).toBe(names.length);
    }
    const v4 = timmNames(graphOf('inception-v4', { A: 1, B: 2, C: 2 }));
    expect(v4.get('reductionA/branch0/conv1/weight')).toBe('features.7.branch0.conv.weight');
    expect(v4.get('inceptionC/1/branch2/concat1/branch1/conv1/gamma')).toBe(
      'features.12.branch2_3b.bn.weight',
    );
  });

  it('says which networks and parameters have no names', () => {
    expect(() => timmNames(graphOf('inception-resnet-v1'))).toThrow(
      'timm has no network like inception-resnet-v1; there are inception-v4, inception-resnet-v2-released',
    );
    const auxiliary = buildGraph(configure(findNetwork('inception-v4'), { auxiliary: true }));
    expect(() => timmNames(auxiliary)).toThrow(
      /^timm has no names for 12 parameters of inception-v4: auxiliary\/projection\/weight, /,
    );
  });
});

describe('timmStages', () => {
  it('finds blocks by what their branches have in common', () => {
    const stages = timmStages(graphOf('inception-v4'));
    expect(stages.get('features.3')).toBe('stem/concat1');
    expect(stages.get('features.21')).toBe('inceptionC/2');
    expect(timmStages(graphOf('inception-resnet-v2-released')).get('block8')).toBe('inceptionResnetC/9');
  });
});

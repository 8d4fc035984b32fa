import { describe, expect, it } from 'vitest';
import { type GoldenModel, goldenModels, readParams } from '../../test/golden/fixture.ts';
import { buildGraph } from '../graph/build-graph.ts';
import { parametersOf } from '../graph/graph.ts';
import { configure, findNetwork, type NetworkOptions } from '../networks/networks.ts';
import { dialectOptions, findDialect, namesIn, stagesIn } from './dialects.ts';
import { recogniseNames } from './import/recognise.ts';
import { canonicalNames as canonicalKerasNames } from './keras.ts';
import { fits } from './layouts.ts';

const graphOf = (name: string, options: NetworkOptions = {}) =>
  buildGraph(configure(findNetwork(name), options));
const models = Object.keys(goldenModels) as GoldenModel[];

describe('the names of a dialect', () => {
  it.each(models)('match those of %s one to one, with their shapes', (model) => {
    const [dialectName, network] = goldenModels[model];
    const dialect = findDialect(dialectName);
    const { params } = readParams(model);
    const bias = params.find(({ name, role }) => role === 'linear_bias' && !/aux/i.test(name));
    const graph = graphOf(network, {
      ...dialectOptions(dialect, network),
      classes: bias?.shape[0] ?? 0,
      auxiliary: params.some(({ name }) => /aux/i.test(name)),
    });
    const names = namesIn(dialectName, graph);
    expect(new Set(names.values())).toEqual(new Set(params.map(({ name }) => name)));
    const shapes = new Map(params.map(({ name, shape }) => [name, shape]));
    for (const parameter of parametersOf(graph)) {
      const theirs = shapes.get(names.get(parameter.name) as string) as readonly number[];
      expect(fits(dialect.layout, parameter, theirs), `${parameter.name} ${theirs}`).toBe(true);
    }
  });

  it.each(models)('identify %s', (model) => {
    const [dialect, network] = goldenModels[model];
    const tensors = new Map(readParams(model).params.map(({ name, shape }) => [name, { shape }]));
    const candidates = recogniseNames(tensors).map(({ dialect, network }) => [dialect.name, network]);
    expect(candidates).toContainEqual([dialect, network]);
    // The first candidate has the right network, whichever of the dialects with those names it is.
    expect(candidates[0]?.[1]).toBe(network);
  });

  it('differ between timm and Cadene only in the classifier of Inception-ResNet-v2', () => {
    const graph = graphOf('inception-resnet-v2-released');
    const [timm, cadene] = [namesIn('timm', graph), namesIn('cadene', graph)];
    const different = [...timm]
      .filter(([ours, theirs]) => cadene.get(ours) !== theirs)
      .map(([, theirs]) => theirs);
    expect(different).toEqual(['classif.weight', 'classif.bias']);
  });

  it('follow the number of blocks, without duplicates', () => {
    const blocks = { A: 1, B: 2, C: 2 };
    for (const [dialect, network] of Object.values(goldenModels)) {
      const names = [...namesIn(dialect, graphOf(network, { blocks, gamma: false })).values()];
      expect(new Set(names).size, `${dialect} ${network}`).toBe(names.length);
    }
    const v4 = namesIn('timm', graphOf('inception-v4', { blocks }));
    expect(v4.get('reductionA/branch0/conv1/weight')).toBe('features.7.branch0.conv.weight');
    expect(v4.get('inceptionC/1/branch2/concat1/branch1/conv1/gamma')).toBe(
      'features.12.branch2_3b.bn.weight',
    );
  });

  it('are refused for a network or parameters that the dialect does not have', () => {
    expect(() => namesIn('timm', graphOf('inception-resnet-v1'))).toThrow(
      'timm has no inception-resnet-v1; it has inception-v3, inception-v4, inception-resnet-v2-released',
    );
    expect(() => namesIn('timm', graphOf('inception-v4', { auxiliary: true }))).toThrow(
      /^timm has no names for 12 parameters of inception-v4: auxiliary\/projection\/weight, /,
    );
    expect(() => findDialect('caffe')).toThrow(
      "no dialect is called 'caffe'; there are timm, torchvision, cadene, facenet, keras, tf-slim, tf-facenet",
    );
  });
});

describe('stagesIn', () => {
  it('names a block by the common prefix of its branches', () => {
    const stages = stagesIn('timm', graphOf('inception-v4'));
    expect(stages.get('features.3')).toBe('stem/concat1');
    expect(stages.get('features.21')).toBe('inceptionC/2');
    expect(stagesIn('timm', graphOf('inception-resnet-v2-released')).get('block8')).toBe(
      'inceptionResnetC/9',
    );
    expect(stagesIn('timm', graphOf('inception-v3')).get('Mixed_6e')).toBe('inceptionB/3');
    expect(stagesIn('tf-slim', graphOf('inception-v4')).get('Mixed_6h')).toBe('inceptionB/6');
  });
});

describe('canonicalKerasNames', () => {
  const asTensors = (names: readonly string[]) => new Map(names.map((name) => [name, { shape: [1] }]));

  it('counts from 1, whatever number the file begins with', () => {
    const names = [
      'conv2d/conv2d/kernel:0',
      'conv2d_1/conv2d_1/kernel:0',
      'batch_normalization_7/beta:0',
      'conv_7b/kernel',
    ];
    expect([...canonicalKerasNames(asTensors(names)).values()]).toEqual([
      'conv2d_1/kernel',
      'conv2d_2/kernel',
      'batch_normalization_1/beta',
      'conv_7b/kernel',
    ]);
    const later = [
      'model_weights/conv2d_95/conv2d_95/kernel:0',
      'model_weights/conv2d_96/conv2d_96/kernel:0',
    ];
    expect([...canonicalKerasNames(asTensors(later)).values()]).toEqual([
      'conv2d_1/kernel',
      'conv2d_2/kernel',
    ]);
  });
});

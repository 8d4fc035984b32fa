import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elementCount } from '../../graph/graph.ts';
import { standardPreprocessing } from '../../images/preprocess.ts';
import { graphOf, type ModelDescription, ModelError } from '../../model/description.ts';
import type { ModelFile } from '../../model/model-file.ts';
import type { NetworkOptions } from '../../networks/network-options.ts';
import { openSafetensors } from '../../weights/safetensors/safetensors.ts';
import type { DialectName } from '../dialects.ts';
import { exportWeights } from './export-weights.ts';
import { readHubConfig } from './hub-config.ts';

/** A narrow network with all parameters zero. */
function model(network: string, options: NetworkOptions = {}): ModelFile {
  const description: ModelDescription = {
    network,
    options: { classes: 3, width: 0.125, blocks: { A: 1, B: 1, C: 1 }, ...options },
    classes: ['cat', 'dog', 'bird'],
    classIds: ['n1', 'n2', 'n3'],
    preprocessing: standardPreprocessing([299, 299], {
      protocol: 'timm',
      kernel: 'pillow-bilinear',
      crop: 0.9,
    }),
  };
  return {
    description,
    graph: graphOf(description),
    source: 'runs/a',
    read: async ({ shape }) => new Float32Array(elementCount(shape)),
    close: async () => undefined,
  };
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inception-export-'));
});
afterAll(() => rm(folder, { recursive: true }));

const exported = (source: ModelFile, to: DialectName) =>
  exportWeights(source, { to, output: join(folder, `${to}.safetensors`) });

describe('exportWeights', () => {
  it('reports where the other implementation computes something else with the same weights', async () => {
    const { differences } = await exported(model('inception-v3'), 'timm');
    expect(differences).toEqual([
      "runs/a: average pooling does not count its padding here, but does in timm's inception-v3: results will differ",
    ]);
    expect((await exported(model('inception-v3', { countPadding: true }), 'timm')).differences).toEqual([]);
    expect((await exported(model('inception-v4'), 'cadene')).differences).toEqual([]);
    expect((await exported(model('inception-v4'), 'tf-slim')).differences).toEqual([]);
    const blocks = { A: 1, B: 1, C: 2 };
    const residual = model('inception-resnet-v2-released', { blocks, residualScale: { A: 0.3 } });
    expect((await exported(residual, 'timm')).differences).toEqual([
      "runs/a: residuals are scaled by 0.3, 0.1, 0.2, 1 here, but by 0.17, 0.1, 0.2, 1 in timm's inception-resnet-v2-released: results will differ",
    ]);
    const asDrawn = model('inception-resnet-v2-released', { blocks });
    expect((await exported(asDrawn, 'timm')).differences).toEqual([]);
  });

  it('folds gammas that the other implementation cannot have, which then computes the same', async () => {
    // Every value of a parameter by its role; with one output and one input, a layer is a product.
    const values = { convWeight: 0.5, gamma: -3, beta: 0.25, movingMean: 2, movingVariance: 4 };
    const source: ModelFile = {
      ...model('inception-v3'),
      read: async ({ role, shape }) =>
        new Float32Array(elementCount(shape)).fill(role in values ? values[role as 'gamma'] : 1),
    };
    const { decisions, differences, parameters } = await exported(source, 'keras');
    expect(differences).toEqual([]);
    expect(decisions).toEqual([
      "runs/a: 41 gammas folded into the convolutions before them: batch normalisation has none in keras's inception-v3",
    ]);
    expect(parameters.find(({ parameter }) => parameter === 'stem/conv1/weight')).toMatchObject({
      to: 'conv2d_1/kernel',
      note: 'transposed, times gamma',
    });
    const file = await openSafetensors(join(folder, 'keras.safetensors'));
    const firstOf = async (name: string) => Number((await file.read(name)).data[0]);
    const [weight, mean] = [
      await firstOf('conv2d_1/kernel'),
      await firstOf('batch_normalization_1/moving_mean'),
    ];
    const [variance, beta] = [
      await firstOf('batch_normalization_1/moving_variance'),
      await firstOf('batch_normalization_1/beta'),
    ];
    expect([...file.tensors.keys()].filter((name) => name.endsWith('gamma'))).toEqual([]);
    await file.close();
    const deviation = Math.sqrt(4 + 0.001);
    const withGamma = (x: number) => (-3 * (0.5 * x - 2)) / deviation + 0.25;
    const without = (x: number) => (weight * x - mean) / Math.sqrt(variance + 0.001) + beta;
    for (const x of [-2, 0, 7]) expect(without(x)).toBeCloseTo(withGamma(x), 6);
  });

  it('writes gammas of one for a network without gammas', async () => {
    const { parameters } = await exported(model('inception-v4', { gamma: false }), 'timm');
    expect(parameters.find(({ to }) => to === 'features.0.bn.weight')).toEqual({
      parameter: '–',
      to: 'features.0.bn.weight',
      shape: [8],
      note: 'ones',
    });
    const file = await openSafetensors(join(folder, 'timm.safetensors'));
    expect((await file.read('features.0.bn.weight')).data).toEqual(new Float32Array(8).fill(1));
    await file.close();
  });

  it('refuses a network or parameters that the dialect does not have', async () => {
    await expect(exported(model('inception-resnet-v1'), 'timm')).rejects.toThrow(
      'timm has no inception-resnet-v1; it has inception-v3, inception-v4, inception-resnet-v2-released',
    );
    await expect(exported(model('inception-v4', { auxiliary: true }), 'cadene')).rejects.toThrow(
      /^cadene has no names for 12 parameters of inception-v4: auxiliary\//,
    );
  });
});

describe('the config.json of the hub', () => {
  const path = () => join(folder, 'hub/config.json');

  it('is written beside the weights of a dialect on the hub, with the contents of timm’s', async () => {
    const { files } = await exportWeights(model('inception-resnet-v2-released'), {
      to: 'timm',
      output: join(folder, 'hub/'),
    });
    expect(files).toEqual([join(folder, 'hub/model.safetensors'), path()]);
    // Keys and values as timm 1.0 writes them, except for the width.
    expect(JSON.parse(await readFile(path(), 'utf8'))).toEqual({
      architecture: 'inception_resnet_v2',
      num_classes: 3,
      num_features: 192,
      label_names: ['n1', 'n2', 'n3'],
      label_descriptions: { n1: 'cat', n2: 'dog', n3: 'bird' },
      pretrained_cfg: {
        input_size: [3, 299, 299],
        interpolation: 'bilinear',
        crop_pct: 0.9,
        crop_mode: 'center',
        mean: [0.5, 0.5, 0.5],
        std: [0.5, 0.5, 0.5],
        num_classes: 3,
        pool_size: [8, 8],
        first_conv: 'conv2d_1a.conv',
        classifier: 'classif',
      },
    });
  });

  it('is read back as it was written', async () => {
    expect(readHubConfig(await readFile(path(), 'utf8'), 'config.json')).toEqual({
      decisions: [],
      options: {
        from: 'timm',
        network: 'inception-resnet-v2-released',
        preprocessing: {
          protocol: 'timm',
          kernel: 'pillow-bilinear',
          crop: 0.9,
          mean: [0.5, 0.5, 0.5],
          std: [0.5, 0.5, 0.5],
        },
        classes: ['cat', 'dog', 'bird'],
        classIds: ['n1', 'n2', 'n3'],
      },
    });
  });

  it.each([
    [{ architecture: 'resnet50' }, "c.json: unknown architecture 'resnet50'; expected one of inception_v3, "],
    [
      { architecture: 'inception_v4', pretrained_cfg: { interpolation: 'random' } },
      "c.json: unknown interpolation 'random'; expected bicubic or bilinear or nearest or box or hamming or lanczos",
    ],
    [
      { architecture: 'inception_v4', pretrained_cfg: { crop_mode: 'squash' } },
      "c.json: unknown crop mode 'squash'; expected 'center'",
    ],
  ])('is refused if a value is unknown: %o', (config, message) => {
    expect(() => readHubConfig(JSON.stringify(config), 'c.json')).toThrow(ModelError);
    expect(() => readHubConfig(JSON.stringify(config), 'c.json')).toThrow(message);
  });
});

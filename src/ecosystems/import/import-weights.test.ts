import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GoldenModel, goldenModels, readFixture, readParams } from '../../../test/golden/fixture.ts';
import { goldenTensor } from '../../../test/golden/prng.ts';
import { elementCount, parametersOf } from '../../graph/graph.ts';
import { openModel } from '../../predict/open-model.ts';
import { openSafetensors, writeSafetensors } from '../../weights/safetensors/safetensors.ts';
import { type NamedTensor, type TensorFile, WeightsError } from '../../weights/tensor-file.ts';
import { exportWeights } from '../export-weights.ts';
import { adaptChannels } from './channels.ts';
import { importWeights } from './import-weights.ts';
import { type ImportOptions, planImport } from './plan-import.ts';

/** The tensors of a fixture as an open file; values are generated on reading. */
function goldenFile(
  model: GoldenModel,
  changes: Readonly<Record<string, readonly number[] | undefined>> = {},
): TensorFile {
  const { params } = readParams(model);
  const known = params.filter(({ name }) => !(name in changes) || changes[name] !== undefined);
  const shapes = new Map(known.map(({ name, shape }) => [name, changes[name] ?? shape]));
  for (const [name, shape] of Object.entries(changes)) if (shape) shapes.set(name, shape);
  const byName = new Map(known.map((tensor) => [tensor.name, tensor]));
  return {
    format: 'safetensors',
    metadata: new Map(),
    tensors: new Map([...shapes].map(([name, shape]) => [name, { name, dtype: 'F32', shape }])),
    read: async (name): Promise<NamedTensor> => {
      const tensor = byName.get(name);
      const shape = shapes.get(name) as readonly number[];
      const data = tensor ? goldenTensor(tensor) : new Float32Array(elementCount(shape));
      return { name, dtype: 'F32', shape, data };
    },
    close: async () => undefined,
  };
}

const plan = (model: GoldenModel, options: ImportOptions = {}) =>
  planImport(goldenFile(model), 'weights', options);

describe('planImport', () => {
  it.each(Object.entries(goldenModels) as [GoldenModel, readonly [string, string]][])(
    'identifies %s, its classes, auxiliary head and variant',
    (model, [dialect, network]) => {
      const { description, graph, ignored } = plan(model, dialect === 'cadene' ? { from: 'cadene' } : {});
      expect(description.network).toBe(network);
      expect(ignored).toEqual([]);
      const { params, trainable_params } = readParams(model);
      const total = parametersOf(graph).reduce((sum, { shape }) => sum + elementCount(shape), 0);
      expect(total).toBe(params.reduce((sum, { shape }) => sum + elementCount(shape), 0));
      expect(trainable_params).toBeLessThan(total);
      const { options } = description;
      expect(options.gamma).toBe(['tf-slim', 'tf-facenet', 'keras'].includes(dialect) ? false : undefined);
      expect(options.countPadding).toBe(
        network === 'inception-v3' && ['timm', 'torchvision'].includes(dialect) ? true : undefined,
      );
      expect(options.auxiliary).toBe(['tf-slim', 'torchvision'].includes(dialect) ? true : undefined);
      expect(options.classes).toBe(dialect === 'tf-slim' ? 1001 : dialect === 'tf-facenet' ? 0 : 1000);
    },
  );

  it('applies the preprocessing of each ecosystem', () => {
    expect(plan('timm_inception_resnet_v2').description.preprocessing).toMatchObject({
      protocol: 'timm',
      crop: 0.8975,
      kernel: 'pillow-bicubic',
      mean: [0.5, 0.5, 0.5],
    });
    expect(plan('slim_inception_v4').description.preprocessing).toMatchObject({
      protocol: 'tf-slim',
      crop: 0.875,
      kernel: 'tf-bilinear',
    });
    const { size, std } = plan('facenet_inception_resnet_v1').description.preprocessing;
    expect([size, std[0]]).toEqual([[160, 160], 128 / 255]);
  });

  it('drops the background class on request, and checks the number of labels', async () => {
    const { parameters, description } = plan('slim_inception_v4', { labelOffset: 1 });
    expect(description.classes).toHaveLength(1000);
    const bias = parameters.find(({ parameter }) => parameter.name === 'logits/bias');
    expect(bias?.note).toBe('outputs 1 to 1000');
    const whole = plan('slim_inception_v4').parameters.find(
      ({ parameter }) => parameter.name === 'logits/bias',
    );
    expect([...((await bias?.read()) ?? [])]).toEqual([...((await whole?.read()) ?? [])].slice(1));
    const classes = Array.from({ length: 1000 }, (_, index) => `label ${index}`);
    expect(() => plan('slim_inception_v4', { classes })).toThrow(
      'weights: 1000 labels for 1001 outputs; --label-offset 1 drops the background',
    );
    expect(plan('slim_inception_v4', { classes, labelOffset: 1 }).description.classes[3]).toBe('label 3');
  });

  it('replaces the classifier, that of the auxiliary head too, and keeps the rest', async () => {
    const { parameters, description } = plan('slim_inception_v3', { resetClassifier: 5 });
    const fresh = parameters.filter(({ note }) => note === 'new').map(({ parameter }) => parameter.name);
    expect(fresh).toEqual([
      'logits/weight',
      'logits/bias',
      'auxiliary/logits/weight',
      'auxiliary/logits/bias',
    ]);
    expect(description.options.classes).toBe(5);
    const weight = await parameters.find(({ parameter }) => parameter.name === 'logits/weight')?.read();
    expect(weight).toHaveLength(5 * 2048);
    expect(new Set(weight).size).toBeGreaterThan(1000);
    expect(plan('slim_inception_v3', { auxiliary: false }).description.options.auxiliary).toBeUndefined();
  });

  it('accepts another input size, and greyscale', () => {
    const { description, parameters } = plan('timm_inception_v4', {
      inputChannels: 1,
      inputSize: [200, 331],
    });
    expect(description.options).toMatchObject({ inputChannels: 1, inputSize: [200, 331] });
    expect(description.preprocessing).toMatchObject({ channels: 1, size: [200, 331] });
    expect(parameters[0]?.note).toBe('adapted from 3 to 1 input channels');
  });

  describe('of a Keras network with a head of one’s own', () => {
    const head = { 'predictions/kernel': undefined, 'predictions/bias': undefined };
    const dense = (inputs: number, outputs: number, layer = 'dense') => ({
      [`${layer}/kernel`]: [inputs, outputs],
      [`${layer}/bias`]: [outputs],
    });

    it('reads the dense layer on the features as the classifier, whatever its name', () => {
      const file = goldenFile('keras_inception_v3', { ...head, ...dense(2048, 5) });
      const { description, decisions, parameters } = planImport(file, 'mine.h5');
      expect(description.options.classes).toBe(5);
      expect(decisions).toContain("classifier read from 'dense/kernel', 5 outputs");
      expect(parameters.find(({ parameter }) => parameter.name === 'logits/bias')?.from).toBe('dense/bias');
    });

    it('reads one output as two classes, of which it is the logit of the second', async () => {
      const file = goldenFile('keras_inception_v3', { ...head, ...dense(2048, 1) });
      const { description, decisions, parameters } = planImport(
        {
          ...file,
          read: async (name) => ({
            name,
            dtype: 'F32',
            shape: [1],
            data: new Float32Array(name.endsWith('bias') ? 1 : 2048).fill(3),
          }),
        },
        'mine.h5',
      );
      expect(description.classes).toEqual(['class 0', 'class 1']);
      expect(decisions).toContain(
        'its one output z is read as two classes with the logits 0 and z: the second has the probability sigmoid(z)',
      );
      const valuesOf = async (parameter: string) =>
        await parameters.find((each) => each.parameter.name === parameter)?.read();
      expect(await valuesOf('logits/bias')).toEqual(Float32Array.of(0, 3));
      expect((await valuesOf('logits/weight'))?.subarray(2046, 2050)).toEqual(Float32Array.of(0, 0, 3, 3));
    });

    it('takes input size and scaling from the configuration, unless told otherwise', () => {
      const layers = [
        { class_name: 'Rescaling', config: { scale: 1 / 255, offset: 0 } },
        { class_name: 'Conv2D', config: { batch_input_shape: [null, 150, 150, 3] } },
      ];
      const metadata = new Map([['model_config', JSON.stringify({ config: { layers } })]]);
      const file = { ...goldenFile('keras_inception_v3'), metadata };
      const { options, preprocessing } = planImport(file, 'mine.h5').description;
      expect(options.inputSize).toEqual([150, 150]);
      expect([preprocessing.size, preprocessing.mean]).toEqual([
        [150, 150],
        [0, 0, 0],
      ]);
      const told = planImport(file, 'mine.h5', { inputSize: 299 }).description;
      expect(told.preprocessing.size).toEqual([299, 299]);
    });

    it('says why several dense layers are no classifier, and leaves them out for a new one', () => {
      const layers = { ...head, ...dense(2048, 16), ...dense(16, 5, 'dense_1') };
      const file = goldenFile('keras_inception_v3', { ...layers, 'batch_normalization_95/beta': [16] });
      expect(() => planImport(file, 'mine.h5')).toThrow(
        /mine\.h5: its classifier has several linear layers: 'dense\/kernel' \(2048 to 16\), 'dense_1\/kernel' \(16 to 5\); .*--reset-classifier N leaves them out/,
      );
      const { decisions, description } = planImport(file, 'mine.h5', { resetClassifier: 3 });
      expect(description.options.classes).toBe(3);
      expect(decisions[0]).toBe(
        'left out the classifier, which is replaced: dense/kernel, dense/bias, dense_1/kernel, and 2 more',
      );
    });
  });

  it('lists missing, misshapen and unexpected tensors in one report', () => {
    const file = goldenFile('timm_inception_v4', {
      'features.0.conv.weight': [32, 3, 5, 5],
      'features.3.conv.bn.bias': undefined,
      'last_linear.weight': undefined,
      'head.attention': [7],
      'features.0.bn.num_batches_tracked': [],
    });
    let message = '';
    try {
      planImport(file, 'v4.pth');
    } catch (error) {
      expect(error).toBeInstanceOf(WeightsError);
      message = (error as Error).message;
    }
    expect(message).toBe(`v4.pth: the tensors do not match timm's inception-v4 (1000 classes):
  2 missing:
    features.3.conv.bn.bias
    last_linear.weight
  1 with the wrong shape:
    features.0.conv.weight: expected [32, 3, 3, 3], received [32, 3, 5, 5]
  1 unexpected:
    head.attention`);
  });

  it('says what a file looks like if it does not match the request', () => {
    expect(() => plan('timm_inception_v4', { from: 'keras' })).toThrow(
      /^weights: its 747 tensors are not those of keras; they look like timm's inception-v4 or cadene's inception-v4; the first are features\.0\.conv\.weight, .*; use --from and --network to say what they are$/,
    );
    const unknown = {
      ...goldenFile('timm_inception_v4'),
      tensors: new Map([['x', { name: 'x', dtype: 'F32', shape: [1] }]]),
    };
    expect(() => planImport(unknown, 'x.pth')).toThrow(
      'x.pth: its 1 tensors are not those of any known network; the first are x;',
    );
  });
});

/** Weights of torchvision's Inception-v3 as people save them, by changes of the whole file. */
describe('a network that people have changed', () => {
  const v3 = goldenFile('torchvision_inception_v3');
  const shapes = [...v3.tensors.values()].map(({ name, shape }) => [name, shape] as const);
  const fileOf = (tensors: readonly (readonly [string, readonly number[]])[]): TensorFile => ({
    ...v3,
    tensors: new Map(tensors.map(([name, shape]) => [name, { name, dtype: 'F32', shape }])),
  });
  const with5 = (name: string) => (name.endsWith('weight') ? [5, 2048] : [5]);
  const isFc = (name: string) => name.startsWith('fc.');
  const isAuxiliary = (name: string) => name.startsWith('AuxLogits.');
  const body = shapes.filter(([name]) => !isFc(name));
  const read = (tensors: readonly (readonly [string, readonly number[]])[], options: ImportOptions = {}) => {
    const { description, decisions, parameters } = planImport(fileOf(tensors), 'x.pth', {
      from: 'torchvision',
      network: 'inception-v3',
      ...options,
    });
    const { classes, auxiliary } = description.options;
    const from = parameters.find(({ parameter }) => parameter.name === 'logits/weight')?.from;
    return { classes, auxiliary, decisions, from };
  };
  const dropped = 'auxiliary classifier left out: it has 1000 outputs, the classifier 5 (12 tensors)';

  it.each(['module.', 'model.', 'backbone.', 'net.', 'encoder.', 'timm_model.', '_orig_mod.module.'])(
    'is read under the prefix %s',
    (prefix) => {
      const plan = planImport(fileOf(shapes.map(([name, shape]) => [prefix + name, shape])), 'x.ckpt');
      expect(plan.description.options).toMatchObject({ classes: 1000, auxiliary: true });
      expect(plan.decisions[0]).toBe(`names without the prefix '${prefix}'`);
      expect(plan.parameters[0]?.from).toBe(`${prefix}Conv2d_1a_3x3.conv.weight`);
    },
  );

  it('leaves out what is not under the prefix: counters, losses', () => {
    const tensors = [
      ...shapes.map(([name, shape]) => [`module.${name}`, shape] as const),
      ['n_averaged', []] as const,
      ['criterion.weight', [5]] as const,
    ];
    expect(read(tensors).decisions.slice(0, 2)).toEqual([
      "names without the prefix 'module.'",
      "left out 2 tensors without the prefix 'module.': n_averaged, criterion.weight",
    ]);
  });

  it('is read once: averaged weights first, and not at all if nothing says which', () => {
    const twice = (a: string, b: string) => [
      ...shapes.map(([name, shape]) => [a + name, shape] as const),
      ...shapes.map(([name, shape]) => [b + name, shape] as const),
    ];
    const { from, decisions } = read(twice('model.', 'ema_model.'));
    expect(from).toBe('ema_model.fc.weight');
    expect(decisions[0]).toBe("names without the prefix 'ema_model.', the averaged weights, not 'model.'");
    expect(() => planImport(fileOf(twice('student.', 'teacher.')), 'x.pth')).toThrow(
      "x.pth: torchvision's inception-v3 is in it several times, under 'student.', 'teacher.'; save the one that is meant",
    );
  });

  it('has a new fc and the old auxiliary classifier', () => {
    const tensors = shapes.map(([name, shape]) => [name, isFc(name) ? with5(name) : shape] as const);
    expect(read(tensors)).toMatchObject({ classes: 5, auxiliary: undefined, decisions: [dropped] });
    expect(read(tensors, { auxiliary: false }).decisions).toEqual([
      'auxiliary classifier left out: as asked for (12 tensors)',
    ]);
    expect(read(tensors, { resetClassifier: 7 })).toMatchObject({
      classes: 7,
      auxiliary: true,
      from: undefined,
    });
  });

  it.each(['fc.1.', 'classifier.', 'head.linear.'])('has its classifier at %s', (module) => {
    const head = ['weight', 'bias'].map((name) => [module + name, with5(name)] as const);
    const found = `classifier read from '${module}weight', 5 outputs`;
    expect(read([...body, ...head])).toMatchObject({
      classes: 5,
      from: `${module}weight`,
      decisions: [found, dropped],
    });
    const inside = [...body.map(([name, shape]) => [`backbone.${name}`, shape] as const), ...head];
    expect(read(inside)).toMatchObject({ classes: 5, from: `${module}weight` });
    expect(read([...body, ...head], { resetClassifier: 3 })).toMatchObject({ classes: 3, auxiliary: true });
  });

  it('has no classifier', () => {
    expect(read(body)).toMatchObject({
      classes: 0,
      decisions: ['auxiliary classifier left out: the network has no classifier (12 tensors)'],
    });
    const bare = body.filter(([name]) => !isAuxiliary(name));
    expect(read(bare, { resetClassifier: 4 })).toMatchObject({ classes: 4, from: undefined });
  });

  it('has hidden layers in its classifier, which are refused by name and can be left out', () => {
    const head = [
      ['fc.0.weight', [256, 2048]],
      ['fc.0.bias', [256]],
      ['fc.3.weight', [5, 256]],
      ['fc.3.bias', [5]],
    ] as const;
    expect(() => read([...body, ...head])).toThrow(
      "x.pth: its classifier has several linear layers: 'fc.0.weight' (2048 to 256), 'fc.3.weight' (256 to 5); the networks here have one: --reset-classifier N leaves them out and imports the rest",
    );
    expect(read([...body, ...head], { resetClassifier: 5 })).toMatchObject({
      classes: 5,
      decisions: [
        'left out the classifier, which is replaced: fc.0.weight, fc.0.bias, fc.3.weight, and 1 more',
      ],
    });
    const two = [
      ['age.weight', [9, 2048]],
      ['sex.weight', [2, 2048]],
    ] as const;
    expect(() => read([...body, ...two])).toThrow(
      "several layers read its 2048 features: 'age.weight' (2048 to 9), 'sex.weight'",
    );
  });

  it('is called the same by two libraries, which is said', () => {
    const bare = shapes.filter(([name]) => !isAuxiliary(name));
    expect(planImport(fileOf(bare), 'x.pth').decisions).toEqual([
      "taken for timm's: the tensors' names are those of torchvision too, which prepares images otherwise (--from torchvision)",
      "no labels: the 1,000 outputs are taken for ImageNet's classes (--model-labels FILE gives others)",
    ]);
  });
});

describe('adaptChannels', () => {
  interface Case {
    readonly channels: number;
    readonly shape: readonly number[];
    readonly weight: readonly number[];
    readonly expected: readonly number[];
  }
  const { cases } = readFixture<{ cases: readonly Case[] }>('timm-channels/expected.json');

  it.each(cases.map((example) => [example.channels, example] as const))(
    'gives timm’s weights for %i channels',
    (_, { weight, shape, channels, expected }) => {
      const adapted = adaptChannels(Float32Array.from(weight), shape, channels);
      expected.forEach((value, index) => {
        expect(adapted[index]).toBeCloseTo(value, 6);
      });
      expect(adapted).toHaveLength(expected.length);
    },
  );
});

describe('a round trip', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'inception-import-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each([
    'timm_inception_v3',
    'facenet_inception_resnet_v1',
    'slim_inception_v3',
    'keras_inception_v3',
  ] as const)('through our format and back preserves every tensor of %s byte for byte', async (model) => {
    const [dialect] = goldenModels[model];
    const file = goldenFile(model);
    const [theirs, ours, back] = ['theirs', 'ours', 'back'].map((name) =>
      join(folder, `${name}.safetensors`),
    ) as [string, string, string];
    const tensors = [...file.tensors.values()].map((info) => ({
      ...info,
      read: async () => (await file.read(info.name)).data,
    }));
    await writeSafetensors(theirs, { tensors });
    await importWeights(theirs, { output: ours });
    const opened = await openModel(ours);
    await exportWeights(opened, { to: dialect, output: back });
    await opened.close();
    const [before, after] = [await openSafetensors(theirs), await openSafetensors(back)];
    const sorted = (names: Iterable<string>) => [...names].sort();
    expect(sorted(after.tensors.keys())).toEqual(sorted(before.tensors.keys()));
    for (const [name, info] of before.tensors) {
      const [a, b] = [await before.read(name), await after.read(name)];
      // TF-Slim's classifiers are 1x1 convolutions in its Inception-v3: the same numbers under a shorter shape.
      expect(b.shape.filter((side) => side !== 1)).toEqual(info.shape.filter((side) => side !== 1));
      expect(Buffer.compare(Buffer.from(a.data.buffer), Buffer.from(b.data.buffer)), name).toBe(0);
    }
    await before.close();
    await after.close();
  });

  it('writes nothing if the tensors do not match', async () => {
    const path = join(folder, 'broken.safetensors');
    await writeSafetensors(path, {
      tensors: [{ name: 'x', dtype: 'F32', shape: [1], read: () => new Float32Array(1) }],
    });
    await expect(importWeights(path, { output: join(folder, 'never.safetensors') })).rejects.toThrow(
      WeightsError,
    );
    expect((await readdir(folder)).filter((name) => name.startsWith('never'))).toEqual([]);
  });
});

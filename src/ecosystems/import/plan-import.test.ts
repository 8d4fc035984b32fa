import { describe, expect, it } from 'vitest';
import { type GoldenModel, goldenModels, readParams } from '../../../test/golden/fixture.ts';
import { goldenFile } from '../../../test/golden/golden-file.ts';
import { UsageError } from '../../errors.ts';
import { elementCount, parametersOf } from '../../graph/graph.ts';
import { WeightsError } from '../../weights/tensor-file.ts';
import { type ImportOptions, planImport } from './plan-import.ts';

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
    expect(() => plan('slim_inception_v4', { labelOffset: 1, resetClassifier: 5 })).toThrow(
      new UsageError(
        'weights: --label-offset has no effect with --reset-classifier, which replaces all outputs',
      ),
    );
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
      const constant = [{ class_name: 'Rescaling', config: { scale: 0 } }, layers[1]];
      const broken = new Map([['model_config', JSON.stringify({ config: { layers: constant } })]]);
      expect(() => planImport({ ...file, metadata: broken }, 'mine.h5')).toThrow('mine.h5: std.0');
      const told = planImport(file, 'mine.h5', { inputSize: 299 }).description;
      expect(told.preprocessing.size).toEqual([299, 299]);
    });

    it('refuses a pooling that is not the mean over the grid, which is 8×8 at 299 pixels', () => {
      const withPool = (size: number, options: ImportOptions = {}) => {
        const config = { pool_size: [size, size], strides: [size, size], padding: 'valid' };
        const layers = [
          { class_name: 'Conv2D', config: { batch_input_shape: [null, 299, 299, 3] } },
          { class_name: 'AveragePooling2D', config },
        ];
        const metadata = new Map([['model_config', JSON.stringify({ config: { layers } })]]);
        return planImport({ ...goldenFile('keras_inception_v3'), metadata }, 'mine.h5', options).graph;
      };
      expect(() => withPool(8)).not.toThrow();
      expect(() => withPool(7)).toThrow(
        'mine.h5: its head pools windows of 7×7, the grid is 8×8: the networks here take the mean over all of it; --reset-classifier N leaves the head out',
      );
      expect(() => withPool(7, { resetClassifier: 2 })).not.toThrow();
      expect(() => withPool(7, { inputSize: 75 })).not.toThrow();
    });

    it('says what the configuration does not', () => {
      const decided = (layers: readonly unknown[], options: ImportOptions = {}) => {
        const metadata = new Map([['model_config', JSON.stringify({ config: { layers } })]]);
        const file = { ...goldenFile('keras_inception_v3'), metadata };
        return planImport(file, 'mine.h5', options).decisions.filter((line) => line.includes('does not say'));
      };
      const [size, scaling] = [
        'the file does not say the size of its input: the usual one is taken (--input-size)',
        'the file does not say how pixels are scaled: the usual way is taken (--mean and --std)',
      ];
      const sized = { class_name: 'Conv2D', config: { batch_input_shape: [null, 150, 150, 3] } };
      const rescaling = { class_name: 'Rescaling', config: { scale: 1 / 255, offset: 0 } };
      expect(decided([])).toEqual([size, scaling]);
      expect(decided([sized])).toEqual([scaling]);
      expect(decided([rescaling, { class_name: 'Conv2D', config: {} }])).toEqual([size]);
      expect(decided([], { inputSize: 150 })).toEqual([scaling]);
      expect(decided([rescaling, sized])).toEqual([]);
    });

    it('reads hidden dense layers, names what stands between them, and leaves all out for a new classifier', () => {
      const layers = { ...head, ...dense(2048, 16), ...dense(16, 5, 'dense_1') };
      const read = planImport(goldenFile('keras_inception_v3', layers), 'mine.h5');
      expect(read.description.options).toMatchObject({ classes: 5, hidden: [16] });
      expect(read.parameters.slice(-4).map(({ parameter, from }) => [parameter.name, from])).toEqual([
        ['hidden/dense1/weight', 'dense/kernel'],
        ['hidden/dense1/bias', 'dense/bias'],
        ['logits/weight', 'dense_1/kernel'],
        ['logits/bias', 'dense_1/bias'],
      ]);
      // The last one may have the name that Keras gives its own.
      const named = { ...head, ...dense(2048, 16), ...dense(16, 5, 'predictions') };
      const { options } = planImport(goldenFile('keras_inception_v3', named), 'mine.h5').description;
      expect(options).toMatchObject({ classes: 5, hidden: [16] });
      const file = goldenFile('keras_inception_v3', { ...layers, 'batch_normalization_95/beta': [16] });
      expect(() => planImport(file, 'mine.h5')).toThrow(
        /1 unexpected:\n {4}batch_normalization_95\/beta\n {2}--reset-classifier N leaves the head out/,
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

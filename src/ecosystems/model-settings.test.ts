import { describe, expect, it } from 'vitest';
import { settingsIn } from './model-settings.ts';

type Layer = Readonly<Record<string, unknown>>;
const layer = (kind: string, config: Layer = {}, more: Layer = {}): Layer => ({
  class_name: kind,
  config: { name: kind.toLowerCase(), ...config },
  ...more,
});
const input = (size: number | null) => layer('InputLayer', { batch_shape: [null, size, size, 3] });
const base = (size: number | null) =>
  layer('Functional', { layers: [input(size), layer('Conv2D'), layer('BatchNormalization')] });
const dense = (activation: string) => layer('Dense', { units: 5, activation });
const settings = (...layers: readonly Layer[]) =>
  settingsIn({ metadata: new Map([['model_config', JSON.stringify(layer('Sequential', { layers }))]]) });

describe('the configuration of a Keras model', () => {
  it('says the size of its input, that of the network where an image is resized before it', () => {
    expect(settings(base(150), layer('GlobalAveragePooling2D'), dense('softmax'))).toEqual({
      inputSize: [150, 150],
      decisions: [],
    });
    expect(settings(input(96), base(null), dense('linear')).inputSize).toEqual([96, 96]);
    expect(settings(input(224), layer('RandomFlip'), base(299)).inputSize).toEqual([299, 299]);
    // Keras 2's word.
    const old = layer('Conv2D', { batch_input_shape: [null, 80, 100, 3] });
    expect(settings(old).inputSize).toEqual([80, 100]);
  });

  it('says how pixels are scaled, by a layer or by arithmetic as of preprocess_input', () => {
    const rescaling = layer('Rescaling', { scale: 1 / 255, offset: 0 });
    const { preprocessing, decisions } = settings(rescaling, base(75));
    expect(preprocessing?.mean).toEqual([0, 0, 0]);
    expect(preprocessing?.std?.[0]).toBeCloseTo(1, 12);
    expect(decisions).toEqual(['it scales pixels itself: x · 0.00392157 + 0']);
    // As Keras 3 and Keras 2 write them.
    const tensor = { class_name: '__keras_tensor__', config: { keras_history: ['input', 0, 0] } };
    const keras3 = [
      layer('TrueDivide', {}, { inbound_nodes: [{ args: [tensor, 127.5], kwargs: {} }] }),
      layer('Subtract', {}, { inbound_nodes: [{ args: [tensor, 1.0], kwargs: {} }] }),
    ];
    const lambda = (word: string, y: number) =>
      layer(
        'TFOpLambda',
        { function: `math.${word}` },
        { inbound_nodes: [['input', 0, 0, { y, name: null }]] },
      );
    for (const arithmetic of [keras3, [lambda('truediv', 127.5), lambda('subtract', 1)]]) {
      const { mean, std } = settings(...arithmetic, base(75)).preprocessing ?? {};
      expect([mean?.[0], std?.[0]]).toEqual([0.5, 0.5]);
    }
  });

  it('names layers that the network here does not have', () => {
    expect(settings(layer('Normalization'), base(75)).inputProblem).toBe(
      "it changes its input by Normalization 'normalization', which is not known here; --mean and --std say what reaches the network",
    );
    expect(settings(base(75), layer('GlobalMaxPooling2D'), dense('tanh')).headProblem).toBe(
      "its head has GlobalMaxPooling2D 'globalmaxpooling2d', activation 'tanh', which the networks here do not have; --reset-classifier N leaves the head out",
    );
    expect(settings(base(75), dense('sigmoid')).decisions[0]).toMatch(/^its classifier ends in a sigmoid/);
  });

  it('says how hidden layers end, which are ReLUs here', () => {
    const named = (name: string, activation: string) => layer('Dense', { name, activation });
    const pooled = [base(75), layer('GlobalAveragePooling2D')];
    const relus = [named('a', 'relu'), layer('Dropout'), named('b', 'linear'), layer('ReLU')];
    expect(settings(...pooled, ...relus, dense('softmax'))).toMatchObject({ saysHidden: true });
    expect(settings(...pooled, ...relus, dense('softmax')).headProblem).toBeUndefined();
    const other = [named('a', 'elu'), named('b', 'linear'), layer('ReLU', { max_value: 6 })];
    expect(settings(...pooled, ...other, named('c', 'linear'), dense('softmax')).headProblem).toBe(
      "its head has activation 'elu' of the hidden layer 'a', activation 'a ReLU with bounds' of the hidden layer 'b', activation 'linear' of the hidden layer 'c', which the networks here do not have; --reset-classifier N leaves the head out",
    );
  });

  it('may pool by windows beside each other, which may be the whole grid', () => {
    const pool = (more: Layer) =>
      settings(base(75), layer('AveragePooling2D', { pool_size: [8, 8], padding: 'valid', ...more }));
    expect(pool({ strides: [8, 8] })).toMatchObject({ pooling: [8, 8] });
    expect(pool({ strides: [8, 8] }).headProblem).toBeUndefined();
    expect(pool({ strides: [1, 1] }).headProblem).toMatch("its head has AveragePooling2D 'averagepooling2d'");
  });

  it('may be missing or broken', () => {
    expect(settingsIn({ metadata: new Map() })).toEqual({ decisions: [] });
    expect(settingsIn({ metadata: new Map([['model_config', '{']]) }).decisions).toEqual([
      'its configuration is not JSON and was left out',
    ]);
    for (const text of ['null', '[]', '{"config":{"layers":[null,3,{"config":{"layers":"x"}}]}}'])
      expect(settingsIn({ metadata: new Map([['model_config', text]]) }).headProblem).toBeUndefined();
  });
});

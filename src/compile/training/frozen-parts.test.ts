/** What a training step with frozen parts leaves out; test/golden/fine-tuning.test.ts compares its numbers with PyTorch's. */
import { describe, expect, it } from 'vitest';
import { stepOptions } from '../../../test/step-options.ts';
import { buildGraph } from '../../graph/build-graph.ts';
import { isStatistic, parametersOf } from '../../graph/graph.ts';
import { freeze, frozenNames } from '../../graph/parts.ts';
import { configure, findNetwork } from '../../networks/networks.ts';
import { compileInference } from '../inference/compile-inference.ts';
import { mergeStores } from '../merge-stores.ts';
import { type Program, printProgram } from '../program.ts';
import { compileTraining } from './compile-training.ts';

const whole = buildGraph(
  configure(findNetwork('inception-v3'), {
    blocks: { A: 1, B: 1, C: 1 },
    width: 0.25,
    inputSize: 75,
    classes: 5,
  }),
);

const options = stepOptions;

const calls = ({ steps }: Program) => steps.flatMap((step) => (step.do === 'call' ? [step] : []));
const loads = ({ steps }: Program) => steps.flatMap((step) => (step.do === 'load' ? [step.name] : []));

describe('a training step with frozen parts', () => {
  const graph = freeze(whole, 'inceptionB');
  const { store, step, prepare } = compileTraining(graph, options);
  const names = new Set([...store.tensors, ...store.views].map(({ name }) => name));

  it('says how far it is frozen', () => {
    expect(printProgram(step).split('\n')[0]).toBe(
      'program inception-v3 train batch 4 bfloat16 frozen up to inceptionB',
    );
    expect(compileTraining(whole, options).prepare).toBeUndefined();
  });

  it('runs them as inference, from weights that one program folds and packs', () => {
    const frozen = calls(step).filter(({ layer }) => layer.startsWith('stem'));
    expect(frozen.map(({ operator }) => operator)).toContain('inception::convolution_packed');
    expect(frozen.some(({ operator }) => operator.includes('batch_norm'))).toBe(false);
    const stored = prepare?.steps.flatMap((each) => (each.do === 'store' ? [each.name] : []));
    expect(stored).toEqual(store.computed);
    expect(stored).toContain('prepared/weights/bfloat16/stem/conv1/weight');
  });

  it('goes back no further than to the first part that is trained', () => {
    const backward = calls(step).filter(({ layer }) => layer.endsWith('backward'));
    const parts = new Set(backward.map(({ layer }) => layer.split('/')[0]?.split(' ')[0]));
    expect(parts).toEqual(new Set(['reductionB', 'inceptionC', 'averagePooling', 'dropout', 'logits']));
  });

  it('keeps nothing for a frozen parameter but its values', () => {
    for (const { name } of parametersOf(graph).filter((parameter) => !isStatistic(parameter))) {
      const frozen = frozenNames(graph).has(name);
      expect(names.has(name), name).toBe(true);
      expect(names.has(`averages/${name}`), name).toBe(true);
      expect(names.has(`momentum/${name}`), name).toBe(!frozen);
      expect(store.views.find((view) => view.name === `averages/${name}`)?.of).toBe(
        frozen ? 'flat/frozen' : 'flat/averages',
      );
    }
    const statistics = store.views.filter(({ of }) => of === 'flat/statistics').map(({ name }) => name);
    expect(statistics.some((name) => name.startsWith('stem'))).toBe(false);
    expect(loads(step).some((name) => name.startsWith('stem/') || name === 'flat/frozen')).toBe(false);
  });

  it('shares its store with the predictor that evaluates', () => {
    const { store: predicting } = compileInference(graph, {
      batch: 4,
      precision: 'bfloat16',
      parameters: 'averages',
    });
    const merged = mergeStores(store, predicting);
    expect(merged.tensors.filter(({ name }) => name === 'flat/frozen')).toHaveLength(1);
  });

  it.each(['native', 'aten'] as const)(
    'trains the classifier alone with ‘all’, by %s operators',
    (kernels) => {
      const alone = compileTraining(freeze(whole, 'all'), { ...options, kernels });
      expect(alone.store.tensors.map(({ name }) => name)).not.toContain('flat/statistics');
      expect(alone.step.inputs.map(({ name }) => name)).toContain('batchNormMomentum');
      expect(calls(alone.step).some(({ operator }) => operator.includes('convolution_backward'))).toBe(false);
    },
  );
});

describe('a training step with layer decay', () => {
  it('scales the rate once for each part, before it is used', () => {
    const { step } = compileTraining(whole, { ...options, layerDecay: 0.5 });
    const scaled = calls(step).filter(({ layer }) => layer === 'learning rates');
    expect(scaled.map(({ args }) => args[1])).toEqual([0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625]);
    const first = step.steps.findIndex((each) => each.do === 'call');
    expect(step.steps[first]).toMatchObject({ operator: 'aten::mul.Scalar', layer: 'learning rates' });
  });

  it('still updates each weight as soon as its gradient exists', () => {
    const updates = (layerDecay: number | undefined) =>
      calls(compileTraining(whole, { ...options, layerDecay }).step)
        .filter(({ operator, layer }) => operator === 'inception::rmsprop_' && layer.endsWith('backward'))
        .map(({ layer }) => layer);
    // Those of the biases of each part come earlier, too.
    expect(updates(0.5)).toEqual(expect.arrayContaining(updates(undefined)));
    expect(updates(0.5).length).toBeGreaterThanOrEqual(updates(undefined).length);
  });

  it('is refused out of its range', () => {
    expect(() => compileTraining(whole, { ...options, layerDecay: 1 })).toThrow(
      "training option 'layerDecay': expected a number above 0 and below 1, or null; received 1",
    );
  });
});

/** Optimisers against PyTorch's steps; test/fixtures/optimizers says how they were generated. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { openTorch } from '../../engine/torch.ts';
import { Emitter } from '../emitter.ts';
import { part } from '../layout.ts';
import type { TrainingOptions } from '../options.ts';
import type { StoreSpec } from '../program.ts';
import { oneRate } from './learning-rates.ts';
import {
  type Optimizer,
  optimizers,
  ruleOf,
  scalarInputs,
  stateNames,
  usualOptimizers,
} from './optimizers.ts';
import { flatKinds, Update } from './update.ts';

interface Case {
  readonly name: string;
  readonly optimizer: Optimizer;
  readonly weightDecay: number;
  readonly clipNorm: number | null;
  readonly initial: readonly number[];
  readonly steps: readonly {
    readonly learningRate: number;
    readonly averageDecay: number;
    readonly gradient: readonly number[];
    readonly norm: number;
    readonly weights: readonly number[];
    readonly averages: readonly number[];
  }[];
}

const fixture = new URL('../../../test/fixtures/optimizers/steps.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(fixture, 'utf8')) as { cases: readonly Case[] };

const engine = openTorch({ device: 'cpu' });
afterAll(() => engine.close());

const length = 12;
const decayed = 8;

function specOf(options: Pick<TrainingOptions, 'optimizer'>): StoreSpec {
  const { state } = ruleOf(options.optimizer);
  return {
    tensors: flatKinds(options).map((kind) => ({
      name: `flat/${kind}`,
      dtype: 'float32',
      shape: [length],
      fill: state[kind] ?? 0,
    })),
    views: flatKinds(options).flatMap((kind) => [
      part(`decayed/${kind}`, `flat/${kind}`, [0, decayed]),
      part(`undecayed/${kind}`, `flat/${kind}`, [decayed, length]),
    ]),
  };
}

describe.each(['native', 'aten'] as const)('with %s operators', (kernels) => {
  it.each(cases)('$name matches PyTorch step by step', async (expected) => {
    const options = {
      optimizer: expected.optimizer,
      weightDecay: expected.weightDecay,
      clipNorm: expected.clipNorm ?? undefined,
      kernels,
    } as unknown as TrainingOptions;
    const emitter = new Emitter();
    const norm = emitter.call('aten::linalg_vector_norm', [emitter.load('flat/gradient')]);
    emitter.output('norm', norm);
    new Update(emitter, options, oneRate({ decayedLength: decayed, trainableLength: length })).applyAll(norm);
    const store = await engine.createStore(specOf(options));
    const step = await engine.load(emitter.finish('step'), store);
    for (const name of ['weights', 'averages']) {
      await store.write(`flat/${name}`, Float32Array.from(expected.initial));
    }
    for (const [index, { learningRate, averageDecay, gradient, ...after }] of expected.steps.entries()) {
      await store.write('flat/gradient', Float32Array.from(gradient));
      const outputs = await step.run({
        learningRate: Float32Array.of(learningRate),
        averageDecay: Float32Array.of(averageDecay),
        ...scalarInputs(expected.optimizer, index + 1),
      });
      expect(outputs.norm?.data[0]).toBeCloseTo(after.norm, 5);
      for (const name of ['weights', 'averages'] as const) {
        const values = (await store.read(`flat/${name}`)).data as Float32Array;
        after[name].forEach((value, position) => {
          expect(Math.abs((values[position] as number) - value), `step ${index}, ${name}`).toBeLessThan(2e-6);
        });
      }
    }
    store.release();
  });
});

describe('the table of optimisers', () => {
  it('has valid default values for every optimiser', () => {
    for (const [kind, table] of Object.entries(optimizers)) {
      const { kind: name, ...values } = usualOptimizers[kind as Optimizer['kind']];
      expect(name).toBe(kind);
      expect(Object.keys(values)).toEqual(Object.keys(table));
      for (const [key, option] of Object.entries(table)) {
        expect(option.accepts((values as Record<string, unknown>)[key]), key).toBe(true);
      }
    }
  });

  it('lists the state tensors of each optimiser', () => {
    const names = Object.values(usualOptimizers).map((optimizer) => [optimizer.kind, stateNames(optimizer)]);
    expect(Object.fromEntries(names)).toEqual({
      rmsprop: ['meanSquare', 'momentum'],
      sgd: ['momentum'],
      adamw: ['firstMoment', 'secondMoment'],
    });
  });
});

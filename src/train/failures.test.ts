import { describe, expect, it } from 'vitest';
import { graphOf } from '../model/description.ts';
import { deathNotice, refuseNonFinite } from './failures.ts';

const where = (network: string) => ({
  step: 7,
  learningRate: 0.123456,
  recipe: { learningRate: 0.3 },
  folder: 'runs/a',
  graph: graphOf({ network, options: { width: 0.125, blocks: { A: 1, B: 1, C: 1 }, inputSize: 75 } }),
});

describe('a training that cannot go on', () => {
  it.each([
    [{ loss: Number.NaN, gradientNorm: 1 }, 'loss is NaN'],
    [{ loss: 1, gradientNorm: Number.POSITIVE_INFINITY }, "gradient's norm is Infinity"],
  ])('says how to continue after %o', (measured, what) => {
    const advice = `step 7: the ${what} at learning rate 0.123. 'inception train --resume --out runs/a --learning-rate 0.03' continues from the last checkpoint at a lower rate; a new run can also take --clip-norm 1`;
    expect(() => refuseNonFinite(measured, where('inception-resnet-v2'))).toThrow(
      `${advice} or a smaller --residual-scale such as 0.1`,
    );
    expect(() => refuseNonFinite(measured, where('inception-v4'))).toThrow(/--clip-norm 1$/);
  });

  it('goes on while both are finite', () => {
    expect(() => refuseNonFinite({ loss: 1, gradientNorm: 2 }, where('inception-v4'))).not.toThrow();
  });

  it('advises smaller residuals only to networks that have them', () => {
    expect(deathNotice(where('inception-resnet-v2'))).toMatch(
      /^step 7: the network has died: for 20 steps every feature .* \(--residual-scale 0\.1 to 0\.3\); lower learning rates did not help there$/,
    );
    expect(deathNotice(where('inception-v4'))).toMatch(
      /Start a new run with a lower --learning-rate or --clip-norm 1$/,
    );
  });
});

import { describe, expect, it } from 'vitest';
import { graphOf } from '../model/description.ts';
import { replaceFile } from '../replace-file.ts';
import { deathNotice, explainSystemError, refuseNonFinite } from './failures.ts';

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

describe('a file that cannot be written', () => {
  const failure = (code: string, message: string) =>
    Object.assign(new Error(`${code}: ${message}, write`), { code, syscall: 'write' });

  it.each([
    [
      'ENOSPC',
      'no space left on device',
      /; make space, and then 'inception train --resume --out runs\/a' continues/,
    ],
    [
      'EROFS',
      'read-only file system',
      /; the file system has become read-only: make it writable, and then 'inc/,
    ],
  ])('is named with the step and what to do (%s)', async (code, message, remedy) => {
    const path = '/nowhere/runs/a/checkpoints/20.safetensors';
    const error = await replaceFile(path, () => Promise.reject(failure(code, message))).catch(
      (caught) => caught,
    );
    const explained = explainSystemError(error, { step: 20, folder: 'runs/a' }) as Error;
    expect(explained.message).toMatch(remedy);
    expect(explained.message).toContain(`after step 20: ${path}: ${code}: ${message}, write; `);
  });

  it('is told from other errors', () => {
    const error = new TypeError('no');
    expect(explainSystemError(error, { step: 1, folder: 'runs/a' })).toBe(error);
  });
});

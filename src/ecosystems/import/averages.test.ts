import { describe, expect, it } from 'vitest';
import { UsageError } from '../../errors.ts';
import type { TensorFile } from '../../weights/tensor-file.ts';
import { chooseAverages } from './averages.ts';

/** A file of single numbers. */
function fileOf(values: Readonly<Record<string, number>>): TensorFile {
  const info = (name: string) => ({ name, dtype: 'F32', shape: [1] });
  return {
    format: 'tf-checkpoint',
    metadata: new Map(),
    tensors: new Map(Object.keys(values).map((name) => [name, info(name)])),
    read: async (name) => ({ ...info(name), data: Float32Array.of(values[name] ?? Number.NaN) }),
    close: async () => undefined,
  };
}

async function valuesIn(file: TensorFile): Promise<Record<string, number>> {
  const names = [...file.tensors.keys()];
  const values = await Promise.all(names.map(async (name) => Number((await file.read(name)).data[0])));
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? Number.NaN]));
}

describe('moving averages beside the weights', () => {
  const both = fileOf({ a: 1, 'a/ExponentialMovingAverage': 2, b: 3, 'b/Momentum': 4 });

  it('are taken by default, and that is said', async () => {
    const file = chooseAverages(both, { path: 'm.ckpt' });
    expect(await valuesIn(file)).toEqual({ a: 2, b: 3, 'b/Momentum': 4 });
    expect(file.decisions).toEqual([
      '1 weights are read from their moving averages, and 1 raw values beside them left out (--no-averages takes those)',
    ]);
  });

  it('are left out on request', async () => {
    const file = chooseAverages(both, { path: 'm.ckpt', averages: false });
    expect(await valuesIn(file)).toEqual({ a: 1, b: 3, 'b/Momentum': 4 });
    expect(file.decisions).toEqual(['left out 1 moving averages, as asked for']);
  });

  it('may be all that there is', async () => {
    const alone = fileOf({ 'a/ExponentialMovingAverage': 2 });
    const file = chooseAverages(alone, { path: 'm.ckpt' });
    expect(await valuesIn(file)).toEqual({ a: 2 });
    expect(file.decisions?.[0]).toBe(
      '1 weights are read from their moving averages, the file has nothing else',
    );
    expect(() => chooseAverages(alone, { path: 'm.ckpt', averages: false })).toThrow(
      'm.ckpt: 1 of its weights are there as moving averages only, the first is a; import it without --no-averages',
    );
  });

  it('are not left out of a file that has none', () => {
    const none = fileOf({ a: 1 });
    expect(chooseAverages(none, { path: 'm.ckpt' })).toBe(none);
    expect(() => chooseAverages(none, { path: 'm.ckpt', averages: false })).toThrow(UsageError);
  });
});

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type GoldenModel, goldenModels, readFixture, readParams } from './fixture.ts';
import { fnv1a32, type GoldenTensor, goldenImages, goldenTensor, stream } from './prng.ts';

interface Vectors {
  readonly fnv1a32: Readonly<Record<string, string>>;
  readonly tensors: readonly (GoldenTensor & {
    readonly raw_u32_first4: readonly string[];
    readonly values_first4: readonly number[];
  })[];
}

const sha256 = (arrays: Iterable<Float32Array>): string => {
  const hash = createHash('sha256');
  for (const array of arrays) hash.update(new Uint8Array(array.buffer));
  return hash.digest('hex');
};

describe('the reproducible weights', () => {
  const vectors = readFixture<Vectors>('prng_vectors.json');

  it('hash names as in prng_vectors.json', () => {
    for (const [text, hash] of Object.entries(vectors.fnv1a32)) expect(fnv1a32(text)).toBe(Number(hash));
  });

  it('have the recorded first numbers and values', () => {
    const known = vectors.tensors.filter(({ role }) => (role as string) !== 'input' && role !== undefined);
    expect(known.length).toBeGreaterThan(3);
    for (const tensor of known) {
      const next = stream(tensor.name);
      expect(Array.from({ length: 4 }, next)).toEqual(tensor.raw_u32_first4.map(Number));
    }
  });

  it.each(Object.keys(goldenModels) as GoldenModel[])('have the sha256 of %s', (model) => {
    const { params, weights_sha256 } = readParams(model);
    const tensors = function* () {
      for (const tensor of params) yield goldenTensor(tensor);
    };
    expect(sha256(tensors())).toBe(weights_sha256);
  });

  it('include the two images', () => {
    const [first] = goldenImages();
    expect(first).toBe(Math.fround(0.960720181));
  });
});

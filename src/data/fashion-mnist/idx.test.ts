import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '../data-error.ts';
import { openFashionMnist } from './fashion-mnist.ts';
import { readIdx } from './idx.ts';

function encode(shape: readonly number[], data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(2, 0x0800 + shape.length);
  shape.forEach((size, axis) => {
    view.setUint32(4 + 4 * axis, size);
  });
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}

const arrays = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 3 }).chain((shape) => {
  const length = shape.reduce((product, size) => product * size, 1);
  return fc.record({
    shape: fc.constant(shape),
    data: fc.uint8Array({ minLength: length, maxLength: length }),
  });
});

describe('readIdx', () => {
  it('reads back any array, plain and gzipped', () => {
    fc.assert(
      fc.property(arrays, ({ shape, data }) => {
        for (const bytes of [encode(shape, data), gzipSync(encode(shape, data))]) {
          const array = readIdx(bytes, 'file');
          expect(array.shape).toEqual(shape);
          expect([...array.data]).toEqual([...data]);
        }
      }),
    );
  });

  it('rejects any other bytes with a DataError that names the file', () => {
    const damaged = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      arrays.chain(({ shape, data }) => {
        const bytes = encode(shape, data);
        return fc
          .record({
            cut: fc.nat(bytes.length),
            at: fc.nat(bytes.length - 1),
            value: fc.nat(255),
            zip: fc.boolean(),
          })
          .map(({ cut, at: index, value, zip }) => {
            const changed = Uint8Array.from(bytes);
            changed[index] = value;
            const whole = zip ? new Uint8Array(gzipSync(changed)) : changed;
            return whole.subarray(0, cut);
          });
      }),
    );
    fc.assert(
      fc.property(damaged, (bytes) => {
        try {
          readIdx(bytes, 'labels.gz');
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
          expect((error as Error).message).toMatch(/^labels\.gz: /);
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    [new Uint8Array([0, 0, 8]), 'x: expected an IDX header, received 3 bytes'],
    [
      new Uint8Array([1, 0, 8, 1]),
      'x: expected an IDX file to begin with two zero bytes, received 0x01 0x00',
    ],
    [new Uint8Array([0, 0, 0x0d, 1]), 'x: expected IDX type 0x08 (unsigned bytes), received 0x0d'],
    [
      new Uint8Array([0, 0, 8, 2, 0, 0, 0, 9]),
      'x: the IDX header declares 2 dimensions but the file has 8 bytes',
    ],
    [new Uint8Array([0, 0, 8, 1, 0, 0, 0, 9, 1]), 'x: shape 9 needs 9 bytes, received 1'],
  ])('says what was expected and what was received', (bytes, message) => {
    expect(() => readIdx(bytes, 'x')).toThrow(message);
  });
});

describe('Fashion-MNIST', () => {
  it('has 60,000 and 10,000 images, evenly distributed over ten classes', async () => {
    for (const [split, length] of [
      ['train', 60_000],
      ['test', 10_000],
    ] as const) {
      const data = await openFashionMnist(split);
      expect(data.length).toBe(length);
      const counts = new Array<number>(10).fill(0);
      for (let index = 0; index < length; index++)
        counts[data.label(index)] = (counts[data.label(index)] as number) + 1;
      expect(counts).toEqual(new Array(10).fill(length / 10));
    }
    const test = await openFashionMnist('test');
    expect(test.classes[test.label(0)]).toBe('Ankle boot');
    expect(await test.image(0)).toMatchObject({ height: 28, width: 28, channels: 1 });
  });

  it('names the package to install when it is missing', async () => {
    await expect(openFashionMnist('test', '/nowhere')).rejects.toThrow(
      "/nowhere/t10k-images-idx3-ubyte.gz: no such file; on Debian and Ubuntu, install Fashion-MNIST with 'apt-get install dataset-fashion-mnist'",
    );
  });
});

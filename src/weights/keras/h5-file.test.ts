import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFixture } from '../../../test/golden/fixture.ts';
import { openWeights } from '../open-weights.ts';
import { WeightsError } from '../tensor-file.ts';
import { openH5File } from './h5-file.ts';

const fixture = (name: string) => new URL(`../../../test/fixtures/keras/${name}`, import.meta.url).pathname;
const files = ['small.h5', 'small-full.h5', 'small.weights.h5'];
const archive = 'small.keras';

/** Opens a file and reads all of it. */
async function readAll(path: string): Promise<number> {
  const file = await openH5File(path);
  try {
    let bytes = 0;
    for (const name of file.tensors.keys()) bytes += (await file.read(name)).data.byteLength;
    return bytes;
  } finally {
    await file.close();
  }
}

describe('openH5File', () => {
  const { tensors } = readFixture<{ tensors: Record<string, { shape: number[]; values: number[] }> }>(
    'keras/expected.json',
  );
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'inception-h5-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each([...files, archive])('reads %s as written by Keras', async (name) => {
    const file = await openWeights(fixture(name));
    expect(file.metadata.has('model_config')).toBe(name === 'small-full.h5' || name === archive);
    const canonical = (own: string) => own.replace(/:\d+$/, '').split('/').slice(-2).join('/');
    expect(new Set([...file.tensors.keys()].map(canonical))).toEqual(new Set(Object.keys(tensors)));
    for (const own of file.tensors.keys()) {
      const { shape, values } = tensors[canonical(own)] as { shape: number[]; values: number[] };
      const tensor = await file.read(own);
      expect(tensor.dtype).toBe('F32');
      expect(tensor.shape).toEqual(shape);
      expect([...(tensor.data as Float32Array)]).toEqual(values);
    }
    await file.close();
    await expect(file.read([...file.tensors.keys()][0] as string)).rejects.toThrow('has been closed');
  });

  it('says what is wrong with a file that is not HDF5', async () => {
    await expect(openH5File(fixture('make.py'))).rejects.toThrow(
      /make\.py: cannot be read as HDF5 \(file signature not found\)/,
    );
    const file = await openH5File(fixture('small.h5'));
    await expect(file.read('nothing')).rejects.toThrow("there is no tensor 'nothing'");
    await file.close();
  });

  it('says what is wrong with an archive', async () => {
    const path = join(folder, 'broken.keras');
    const bytes = readFileSync(fixture(archive));
    await writeFile(path, bytes.subarray(0, 5000));
    await expect(openWeights(path)).rejects.toThrow(/broken\.keras: cannot be read as a ZIP archive/);
    // The member's name in the directory at the end, and in its own header.
    await writeFile(
      path,
      Buffer.from(bytes.toString('latin1').replaceAll('model.weights.h5', 'model.weights.xx'), 'latin1'),
    );
    await expect(openWeights(path)).rejects.toThrow(
      "expected a member 'model.weights.h5' in a Keras archive",
    );
  });

  // Every case starts a thread with an HDF5 of its own, so the files take their turns together.
  it('survives changed bytes and truncation', async () => {
    const change = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 255 }));
    const survives = (name: string) => {
      const path = join(folder, `${name}-broken.h5`);
      return fc.assert(
        fc.asyncProperty(
          fc.array(change, { maxLength: 12 }),
          fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
          // Most of a file is zeros: squeezing the places towards its begin hits its structure.
          fc.constantFrom(1, 3),
          async (changes, cut, power) => {
            const bytes = new Uint8Array(readFileSync(fixture(name)));
            for (const [place, value] of changes)
              bytes[Math.min(bytes.length - 1, Math.floor(place ** power * bytes.length))] = value;
            const length = cut === null ? bytes.length : Math.floor(cut * bytes.length);
            await writeFile(path, bytes.subarray(0, length));
            try {
              expect(await readAll(path)).toBeLessThanOrEqual(64 * bytes.length);
            } catch (error) {
              expect(error).toBeInstanceOf(WeightsError);
              expect((error as Error).message).toMatch(/^\S+broken\.h5: /);
            }
          },
        ),
        { numRuns: 25 },
      );
    };
    await Promise.all(files.map(survives));
  });
});

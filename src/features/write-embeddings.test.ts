import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSafetensors } from '../weights/safetensors/safetensors.ts';
import { npyHeader, writeEmbeddings } from './write-embeddings.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'embeddings-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const embeddings = {
  values: Float32Array.of(1, 2, 3, 4, 5, 6),
  files: ['a.png', 'b.png'],
  length: 3,
  description: { model: 'runs/a' },
};

describe('writeEmbeddings', () => {
  it('writes safetensors, and the names of its rows beside', async () => {
    const path = join(folder, 'e.safetensors');
    await writeEmbeddings(path, embeddings);
    const file = await openSafetensors(path);
    expect(await file.read('embeddings')).toMatchObject({ shape: [2, 3], data: embeddings.values });
    await file.close();
    expect(JSON.parse(readFileSync(`${path}.json`, 'utf8'))).toEqual({
      model: 'runs/a',
      files: ['a.png', 'b.png'],
    });
  });

  it("writes NumPy's format after its header", async () => {
    const path = join(folder, 'e.npy');
    await writeEmbeddings(path, embeddings);
    const bytes = readFileSync(path);
    expect(bytes.subarray(0, 128).equals(npyHeader([2, 3]))).toBe(true);
    expect(bytes.readFloatLE(128 + 4 * 5)).toBe(6);
  });

  it('refuses other endings', async () => {
    await expect(writeEmbeddings('e.csv', embeddings)).rejects.toThrow(
      "output: expected a file that ends in .safetensors or .npy, received 'e.csv'",
    );
  });
});

describe('npyHeader', () => {
  // numpy 2: np.save(file, np.zeros((2, 3), '<f4')), its first 128 bytes.
  it("is numpy's, byte for byte", () => {
    const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.padEnd(117);
    expect(Buffer.from(npyHeader([2, 3])).toString('latin1')).toBe(`\x93NUMPY\x01\x00v\x00${text}\n`);
  });
});

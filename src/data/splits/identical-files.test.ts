import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../dataset.ts';
import { firstIdentical, ofEncoded } from './identical-files.ts';

describe('identical images', () => {
  it('are asked for what costs more only where they were equal so far', async () => {
    const asked: number[] = [];
    const sizes = ['10', '20', '10', '30', '20', '10'];
    const contents = ['a', 'b', 'c', 'd', 'b', 'a'];
    const first = await firstIdentical(6, [
      async (index) => sizes[index],
      async (index) => {
        asked.push(index);
        return contents[index];
      },
    ]);
    expect([...first]).toEqual([0, 1, 2, 3, 1, 0]);
    expect(asked.sort()).toEqual([0, 1, 2, 4, 5]);
  });

  it('are files of the same bytes, also long ones that differ in the middle; a missing file is like no other; and so are members of an archive', async () => {
    const root = await mkdtemp(join(tmpdir(), 'inception-identical-'));
    const long = new Uint8Array(20_000).fill(1);
    const other = long.slice();
    other[9_000] = 2;
    const contents = [long, other, long, new Uint8Array(0), new Uint8Array(0)];
    for (const [index, bytes] of contents.entries()) await writeFile(join(root, String(index)), bytes);
    const encoded = (index: number) => ({ file: join(root, String(index)) });
    const data = { encoded: encoded as Dataset['encoded'] } as Dataset;
    expect([...(await firstIdentical(7, ofEncoded(data)))]).toEqual([0, 1, 0, 3, 3, 5, 6]);
    await writeFile(join(root, 'archive'), Buffer.concat([long, other, long]));
    const members = {
      encoded: (index: number) => ({ file: join(root, 'archive'), offset: index * 20_000, length: 20_000 }),
    };
    expect([...(await firstIdentical(3, ofEncoded(members as Dataset)))]).toEqual([0, 1, 0]);
    await rm(root, { recursive: true });
  });
});

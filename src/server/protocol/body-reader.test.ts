import { afterAll, describe, expect, it } from 'vitest';
import { RequestError } from '../http/request-error.ts';
import type { BodyJob } from './body-messages.ts';
import { openBodyReader } from './body-reader.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const job = (text: string): BodyJob<'infer'> => ({
  kind: 'infer',
  body: bytes(text),
  options: {
    headerLength: undefined,
    model: {
      name: 'colours',
      input: { name: 'images', datatype: 'UINT8', shape: [100, 100, 3] },
      output: { name: 'probabilities', datatype: 'FP32', shape: [3] },
    },
    limits: { images: 64 },
  },
});
const images = (data: string, count: number) =>
  `{"inputs": [{"name": "images", "datatype": "UINT8", "shape": [${count}, 100, 100, 3], "data": ${data}}]}`;
const flat = (count: number) => `[${'7,'.repeat(count * 30_000 - 1)}7]`;

const reader = openBodyReader({ timeoutMs: 60_000 });
afterAll(() => reader.close());

describe('a large JSON body', () => {
  it('becomes the same request as a small one', async () => {
    const large = await reader.read(job(images(flat(2), 2)));
    expect([large.rows, large.values.length, new Set(large.values)]).toEqual([2, 60_000, new Set([7])]);
    const small = await reader.read(job(images(flat(2), 2)), { jsonBytes: 0 });
    expect(large).toEqual(small);
    const base64 = Buffer.alloc(90_000, 'image').toString('base64');
    const body = bytes(JSON.stringify({ images: [base64], top: 2 }));
    const classify = await reader.read({ kind: 'classify', body, options: { query: { model: 'colours' } } });
    expect(classify).toMatchObject({ model: 'colours', top: 2, images: [{ name: 'image 0' }] });
    expect(Buffer.from(classify.images[0]?.bytes ?? []).toString('base64')).toBe(base64);
  });

  it('is refused with the same words', async () => {
    const body = job(images(flat(1), 2));
    const error = new RequestError(400, 'images.data: expected 60000 values, received 30000');
    await expect(
      reader.read({ ...body, body: bytes(images(`${flat(1)}   `, 2).padEnd(70_000)) }),
    ).rejects.toEqual(error);
  });

  it('has at most as many values as the model takes', async () => {
    const empty = `[${'[],'.repeat(2_000_000)}[]]`;
    await expect(reader.read(job(images(empty, 64)))).rejects.toEqual(
      new RequestError(400, 'body: expected at most 1930000 values, received more'),
    );
  });

  it('leaves the thread that answers free', async () => {
    let turns = 0;
    const turn = setInterval(() => turns++, 1);
    await expect(reader.read(job(images(`[${'[],'.repeat(1_000_000)}[]]`, 64)))).rejects.toThrow(
      RequestError,
    );
    clearInterval(turn);
    expect(turns).toBeGreaterThan(5);
  });

  it('is dropped if it takes too long or its client leaves, and the next is read', async () => {
    const hurried = openBodyReader({ timeoutMs: 1 });
    await expect(hurried.read(job(images(flat(2), 2)))).rejects.toMatchObject({
      status: 503,
      message: 'the JSON could not be read within 1 ms; try again later, or send binary data',
    });
    await hurried.close();
    const client = new AbortController();
    const [left, stayed] = [
      reader.read(job(images(flat(20), 20)), { signal: client.signal }),
      reader.read(job(images(flat(2), 2))),
    ];
    client.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    expect((await stayed).rows).toBe(2);
  });
});

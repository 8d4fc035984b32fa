/** `POST /classify` over loopback, with real images and real decoders. Needs the build, from which the decoders run. */
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { colourModel, colours, imageFile } from '../../../test/server-models.ts';
import { startTestServer, type TestServer } from '../../../test/test-server.ts';

let server: TestServer;
const model = colourModel();

beforeAll(async () => {
  server = await startTestServer([model, colourModel({ name: 'other' })], { images: 4, bodyBytes: 2 ** 20 });
});
afterAll(() => server?.drain());

const post = (
  body: string | Buffer | FormData,
  { type, query = '' }: { type?: string; query?: string } = {},
) =>
  server.send(`/classify${query}`, {
    method: 'POST',
    body: body as string,
    ...(type !== undefined && { headers: { 'content-type': type } }),
  });
const image = (body: Buffer, type = 'image/png') => post(body, { type });
const json = (body: unknown) => post(JSON.stringify(body), { type: 'application/json' });
const best = (answer: { json: { results: { labels: { label: string }[] }[] } }) =>
  answer.json.results.map(({ labels }) => labels[0]?.label);

/** A form of files, with their names. */
function form(files: Record<string, Buffer>, fields: Record<string, string> = {}): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  for (const [name, bytes] of Object.entries(files))
    data.append('image', new Blob([new Uint8Array(bytes)]), name);
  return data;
}

describe('POST /classify', () => {
  it.each(['png', 'jpeg', 'webp'] as const)('accepts one image as the body: %s', async (format) => {
    const answer = await image(await imageFile('green', { format }), `image/${format}`);
    expect(answer.status).toBe(200);
    expect(answer.json.model).toBe('colours');
    const [{ name, labels }] = answer.json.results;
    expect(name).toBe('image');
    expect(labels[0]).toMatchObject({ label: 'green', index: 1 });
    expect(labels[0].probability).toBeCloseTo(1, 1);
    expect(labels).toHaveLength(3);
  });

  it('accepts several files as a form, with model and top', async () => {
    const files = {
      'a.png': await imageFile('blue'),
      'b.jpg': await imageFile('red', { format: 'jpeg' }),
    };
    const answer = await post(form(files, { model: 'other', top: '1' }));
    expect(answer.json).toMatchObject({
      model: 'other',
      results: [
        { name: 'a.png', labels: [{ label: 'blue' }] },
        { name: 'b.jpg', labels: [{ label: 'red' }] },
      ],
    });
    expect(answer.json.results[0].labels).toHaveLength(1);
  });

  it('accepts base64 in JSON', async () => {
    const images = [await imageFile('red'), await imageFile('blue')].map((file) => file.toString('base64'));
    const answer = await json({ images, top: 2 });
    expect(best(answer)).toEqual(['red', 'blue']);
    expect(answer.json.results[1].name).toBe('image 1');
  });

  it('accepts model and top as query parameters', async () => {
    const answer = await post(await imageFile('red'), { type: 'image/png', query: '?model=other&top=1' });
    expect(answer.json).toMatchObject({ model: 'other', results: [{ labels: [{ label: 'red' }] }] });
  });

  it('batches images of different requests together', async () => {
    const file = await imageFile('red');
    const before = model.batches.length;
    await Promise.all(Array.from({ length: 4 }, () => image(file)));
    const batches = model.batches.slice(before);
    expect(batches.reduce((sum, rows) => sum + rows, 0)).toBe(4);
  });

  it('handles unusual images in a defined way', async () => {
    const one = (
      background: string | { r: number; g: number; b: number; alpha: number },
      channels: 3 | 4 = 3,
    ) => sharp({ create: { width: 8, height: 8, channels, background } });
    const files: Record<string, Buffer> = {
      cmyk: await one(colours.red).toColourspace('cmyk').jpeg().toBuffer(),
      sixteenBit: await one(colours.red).toColourspace('rgb16').png().toBuffer(),
      profile: await one(colours.red).withIccProfile('p3').png().toBuffer(),
      turned: await one(colours.red).jpeg().withMetadata({ orientation: 6 }).toBuffer(),
      palette: await one(colours.red).png({ palette: true }).toBuffer(),
      halfRed: await one({ r: 255, g: 0, b: 0, alpha: 0.5 }, 4).png().toBuffer(),
    };
    for (const [name, file] of Object.entries(files)) {
      const answer = await image(file);
      expect({ name, best: answer.status === 200 ? best(answer) : answer.json }).toEqual({
        name,
        best: ['red'],
      });
    }
    const probabilities = async (file: Buffer) => {
      const { results } = (await image(file)).json;
      const sorted = [...results[0].labels].sort((a, b) => a.index - b.index);
      return sorted.map(({ probability }: { probability: number }) => +probability.toFixed(2));
    };
    // Half red on white is (255, 128, 128); grey and fully transparent images are the same in all channels.
    expect(await probabilities(files.halfRed as Buffer)).toEqual([0.5, 0.25, 0.25]);
    expect(await probabilities(await one('#808080').toColourspace('b-w').png().toBuffer())).toEqual([
      0.33, 0.33, 0.33,
    ]);
    expect(await probabilities(await one({ r: 255, g: 0, b: 0, alpha: 0 }, 4).png().toBuffer())).toEqual([
      0.33, 0.33, 0.33,
    ]);
  });

  it('uses the first frame of an animation', async () => {
    const frames = await Promise.all([imageFile('blue'), imageFile('red')]);
    const animation = await sharp(frames, { join: { animated: true } })
      .webp({ loop: 0 })
      .toBuffer();
    expect((await sharp(animation).metadata()).pages).toBe(2);
    expect(best(await image(animation, 'image/webp'))).toEqual(['blue']);
  });

  it('refuses unsupported formats and truncated files, with the reason', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    const gif = await sharp(await imageFile('red'))
      .gif()
      .toBuffer();
    const whole = await imageFile('red', { format: 'jpeg', side: 64 });
    for (const file of [
      svg,
      gif,
      Buffer.alloc(0),
      Buffer.from('hello'),
      whole.subarray(0, whole.length - 40),
    ]) {
      const answer = await image(file);
      expect(answer.status).toBe(400);
      expect(answer.json.error).toMatch(
        /^image: cannot be decoded as JPEG, PNG or WebP of at most 50 megapixels and 65535 pixels a side \(/,
      );
    }
  });

  it('refuses more than 50 megapixels, however small the file', async () => {
    const large = await sharp({ create: { width: 7100, height: 7100, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    expect(large.length).toBeLessThan(2 ** 20);
    const answer = await image(large);
    expect(answer).toMatchObject({ status: 400, json: { error: expect.stringContaining('pixel limit') } });
  });

  it('answers for the other images of a form when one is corrupt, and names it', async () => {
    const answer = await post(
      form({ 'a.png': await imageFile('red'), 'b.png': Buffer.from('no'), 'c.png': await imageFile('blue') }),
    );
    expect(answer.status).toBe(200);
    const { results } = answer.json;
    expect(results).toMatchObject([
      { name: 'a.png', labels: [{ label: 'red' }, {}, {}] },
      { name: 'b.png', error: expect.stringMatching(/^b\.png: cannot be decoded/) },
      { name: 'c.png', labels: [{ label: 'blue' }, {}, {}] },
    ]);
  });

  it('refuses a form of which no image can be decoded', async () => {
    const answer = await post(form({ 'a.png': Buffer.from('no'), 'b.png': Buffer.from('no') }));
    expect(answer.status).toBe(400);
    expect(answer.json.error).toMatch(/^[ab]\.png: cannot be decoded/);
  });

  it('takes an image of one row of 65,000 pixels like any other, and refuses one of a million', async () => {
    const row = (width: number) =>
      sharp({ create: { width, height: 1, channels: 3, background: 'red' } })
        .png()
        .toBuffer();
    expect(best(await image(await row(65_000)))).toEqual(['red']);
    expect(await image(await row(1_000_000))).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining('it has 1000000×1 pixels') },
    });
  });

  it.each<
    [what: string, send: () => Promise<{ status: number; json: unknown }>, status: number, error: string]
  >([
    [
      'a URL instead of an image',
      () => json({ images: ['http://example.com/a.png'] }),
      400,
      "images.0: expected the base64 of a JPEG, PNG or WebP file, received 'http://example.com/a.png'",
    ],
    ['unknown keys', () => json({ images: [], url: 'x' }), 400, 'body: Unrecognized key: "url"'],
    ['no images', () => json({ images: [] }), 400, 'expected at least one image, received none'],
    [
      'too many images',
      () => json({ images: Array(5).fill('AAAA') }),
      400,
      'at most 4 images per request, received 5',
    ],
    [
      'an unknown model',
      () => json({ images: ['AAAA'], model: 'x' }),
      404,
      "no model 'x'; the models are 'colours', 'other'",
    ],
    ['no labels', () => json({ images: ['AAAA'], top: 0 }), 400, 'body.top: '],
    [
      'another type',
      () => post('hello', { type: 'text/plain' }),
      415,
      "Content-Type: expected image/jpeg, image/png, image/webp, multipart/form-data or application/json, received 'text/plain'",
    ],
    ['a malformed form', () => post('hello', { type: 'multipart/form-data' }), 400, 'form: '],
    [
      'too many bytes',
      () => image(Buffer.alloc(2 ** 20 + 1)),
      413,
      'the body has 1048577 bytes; the limit is 1048576',
    ],
    ['too large a file in a form', () => post(form({ a: Buffer.alloc(2 ** 20) })), 413, 'the body has'],
    [
      'too many files in a form',
      () => post(form(Object.fromEntries('abcde'.split('').map((name) => [name, Buffer.from('x')])))),
      413,
      'reach files limit',
    ],
  ])('refuses %s', async (_what, send, status, error) => {
    const answer = await send();
    expect(answer).toMatchObject({ status, json: { error: expect.stringContaining(error) } });
  });

  it('continues after a decoder is killed', async () => {
    const [pid] = server.processes();
    process.kill(pid as number, 'SIGKILL');
    expect(best(await image(await imageFile('blue')))).toEqual(['blue']);
    expect(server.processes()).not.toContain(pid);
  });
});

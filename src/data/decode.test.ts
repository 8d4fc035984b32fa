import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from './decode.ts';

let root: string;

/** A plain image with a white upper left corner that shows its orientation. */
function image(colour: string, { width = 40, height = 24 } = {}) {
  const corner = { create: { width: 8, height: 8, channels: 3 as const, background: '#ffffff' } };
  return sharp({ create: { width, height, channels: 3, background: colour } }).composite([
    { input: corner, top: 0, left: 0 },
  ]);
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-decode-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('decodeImage', () => {
  const file = (name: string) => join(root, name);

  it.each([
    ['grey.png', () => image('#808080').greyscale().png(), 128],
    ['deep.png', () => image('#808080').toColourspace('rgb16').png(), 128],
    [
      'clear.png',
      () =>
        sharp({
          create: { width: 40, height: 24, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
        }).png(),
      255,
    ],
    ['cmyk.jpg', () => image('#808080').toColourspace('cmyk').jpeg({ quality: 100 }), 128],
  ] as const)('converts %s to 8-bit grey or RGB', async (name, make, expected) => {
    await make().toFile(file(name));
    const { height, width, channels, data } = await decodeImage(file(name));
    expect([height, width]).toEqual([24, 40]);
    expect([1, 3]).toContain(channels);
    // CMYK cannot represent every grey exactly.
    expect(Math.abs((data[(12 * 40 + 20) * channels] as number) - expected)).toBeLessThan(16);
  });

  it('applies the EXIF orientation', async () => {
    await image('#202020').withMetadata({ orientation: 6 }).jpeg({ quality: 100 }).toFile(file('turned.jpg'));
    const { height, width, channels, data } = await decodeImage(file('turned.jpg'));
    expect([height, width]).toEqual([40, 24]);
    // After a quarter turn the white corner is at the upper right.
    expect(data[(2 * 24 + 21) * channels]).toBeGreaterThan(200);
  });

  it.each([
    ['PNG', image('#204060').png()],
    ['WebP', image('#204060').webp({ lossless: true })],
    ['GIF', image('#204060').gif()],
    ['TIFF', image('#204060').tiff({ compression: 'lzw' })],
    ['AVIF', image('#204060').avif({ lossless: true })],
  ] as const)('reads %s by its content, whatever the ending', async (_, encoder) => {
    const { height, width, data } = await decodeImage(await encoder.toBuffer());
    expect([height, width]).toEqual([24, 40]);
    const pixel = [...data.subarray((12 * 40 + 20) * 3, (12 * 40 + 20) * 3 + 3)];
    for (const [channel, value] of [0x20, 0x40, 0x60].entries())
      expect(Math.abs((pixel[channel] as number) - value)).toBeLessThanOrEqual(1);
  });

  it.each([
    ['really.bmp.jpg', 'BM            ', 'unsupported image format'],
    [
      'vector.png',
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
      'unsupported image format',
    ],
    ['empty.jpg', '', 'the file is empty'],
  ])('refuses %s with the reason', async (name, content, reason) => {
    await writeFile(file(name), content);
    await expect(decodeImage(file(name))).rejects.toThrow(
      new RegExp(`${name}: cannot be decoded as JPEG, PNG, WebP, GIF, TIFF or AVIF .*\\(.*${reason}`),
    );
  });

  it.each([
    [9000, 6000, 'Input image exceeds pixel limit'],
    [65_536, 1, 'it has 65536×1 pixels'],
    [1, 65_536, 'it has 1×65536 pixels'],
  ])('refuses %i×%i pixels before it decodes them', async (width, height, reason) => {
    const bytes = await sharp({ create: { width, height, channels: 3, background: '#000' } })
      .png()
      .toBuffer();
    await expect(decodeImage(bytes, { name: 'huge.png' })).rejects.toThrow(
      `huge.png: cannot be decoded as JPEG, PNG, WebP, GIF, TIFF or AVIF of at most 50 megapixels and 65535 pixels a side (${reason})`,
    );
  });
});

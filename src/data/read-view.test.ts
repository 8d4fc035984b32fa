/** The addon against sharp and preprocess(), which are the reference. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { viewsOf } from '../images/crops.ts';
import { inputBytes, type Preprocessing, preprocess, standardPreprocessing } from '../images/preprocess.ts';
import { resamplingKernels } from '../images/resize.ts';
import type { Dataset } from './dataset.ts';
import { decodeBySharp, decodeImage } from './decode.ts';
import { imageAddon } from './native/image-addon.ts';
import { readInput, readViews } from './read-view.ts';

const folder = fileURLToPath(new URL('../../test/fixtures/jpegs/', import.meta.url));
const files = [
  '420.jpg',
  'progressive.jpg',
  'grey.jpg',
  'orientation-6.jpg',
  'orientation-7.jpg',
  '3x47.jpg',
  '61x2.jpg',
];

/** Sinc's values differ in their last bits between the C library and JavaScript. */
const nearly = new Set(['pillow-lanczos', 'pillow-hamming']);

const variants: Partial<Preprocessing>[] = [
  { protocol: 'tf-slim', crop: 0.875 },
  { protocol: 'timm', crop: 0.875 },
  { protocol: 'timm', crop: 1, channels: 1 },
];

describe('an input read by the addon', () => {
  it('is there', () => expect(imageAddon()).toBeDefined());

  it.each(resamplingKernels)('has the bytes of sharp and %s', async (kernel) => {
    for (const name of files) {
      const file = `${folder}${name}`;
      const image = await decodeBySharp(file, name);
      for (const variant of variants) {
        const preprocessing = standardPreprocessing([41, 37], { ...variant, kernel });
        const expected = new Uint8Array(inputBytes(preprocessing));
        preprocess(image, preprocessing, expected);
        const received = await readInput(file, preprocessing);
        const largest = expected.reduce(
          (most, value, index) => Math.max(most, Math.abs(value - (received[index] as number))),
          0,
        );
        expect(largest).toBeLessThanOrEqual(nearly.has(kernel) ? 1 : 0);
      }
    }
  });

  it('is one of the views that an evaluation averages, mirrored or not', async () => {
    const file = `${folder}422.jpg`;
    const preprocessing = standardPreprocessing([41, 37], { protocol: 'timm', kernel: 'pillow-bicubic' });
    const dataset: Dataset = {
      ...{ name: 'one', length: 1, classes: [], label: () => 0, nameOf: () => file },
      image: () => decodeBySharp(file, file),
      encoded: () => ({ bytes: readFileSync(file) }),
    };
    for (const views of [{ crops: 1 }, { crops: 1, flip: true }, { crops: 12 }] as const) {
      const [received = []] = await readViews(dataset, 0, { networks: [preprocessing], views });
      const expected = viewsOf(await decodeBySharp(file, file), preprocessing, views);
      expect(received).toHaveLength(expected.length);
      const bytes = (view: (typeof expected)[number] | undefined) => {
        const target = new Uint8Array(inputBytes(preprocessing));
        view?.write(target, 0);
        return target;
      };
      for (const [index, view] of expected.entries()) expect(bytes(received[index])).toEqual(bytes(view));
    }
  });

  it('is decoded as sharp decodes it', async () => {
    for (const name of files) {
      const [fast, reference] = [
        await decodeImage(`${folder}${name}`),
        await decodeBySharp(`${folder}${name}`, name),
      ];
      expect([fast.height, fast.width, fast.channels]).toEqual([
        reference.height,
        reference.width,
        reference.channels,
      ]);
      expect(Buffer.compare(fast.data, reference.data)).toBe(0);
    }
  });

  it.each(['truncated.jpg', 'without-end.jpg', 'nothing.jpg'])(
    'has the errors of sharp: %s',
    async (name) => {
      const preprocessing = standardPreprocessing([41, 37]);
      await expect(readInput(`${folder}${name}`, preprocessing)).rejects.toThrow(name);
    },
  );
});

import { describe, expect, it } from 'vitest';
import { type CropCount, describeViews, viewsOf } from './crops.ts';
import type { Image } from './image.ts';
import { standardPreprocessing } from './preprocess.ts';
import { resamplingKernels } from './resize.ts';

/** Red counts columns and green rows. */
function gradient(height: number, width: number): Image {
  const data = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set([x, y, 0], (y * width + x) * 3);
  }
  return { height, width, channels: 3, data };
}

const preprocessing = standardPreprocessing([224, 224], { kernel: 'pillow-bilinear' });
const total = (crops: CropCount, image: Image) =>
  viewsOf(image, preprocessing, { crops }).reduce((sum, { weight }) => sum + weight, 0);

/** [red, green] of the first and of the last pixel of a view. */
function corners(image: Image, crops: CropCount, index: number) {
  const target = new Uint8Array(224 * 224 * 3);
  viewsOf(image, preprocessing, { crops })[index]?.write(target, 0);
  return [[...target.subarray(0, 2)], [...target.subarray(-3, -1)]];
}

/** A row or a column of one colour: whole, its covering size would be 200 million pixels and more. */
const longImages = [
  { height: 1, width: 65_000, channels: 3, data: new Uint8Array(65_000 * 3).fill(90) },
  { height: 65_000, width: 1, channels: 3, data: new Uint8Array(65_000 * 3).fill(90) },
] as const satisfies readonly Image[];

describe('viewsOf', () => {
  it('returns as many crops as the protocol is named for, whatever the shape of the image', () => {
    for (const crops of [1, 10, 12, 144] as const) {
      for (const image of [gradient(256, 256), gradient(100, 250), gradient(250, 100), gradient(10, 10)])
        expect(total(crops, image)).toBe(crops);
    }
    expect(viewsOf(gradient(9, 9), preprocessing, { crops: 1, flip: true })).toHaveLength(2);
  });

  it.each(
    (['timm', 'tf-slim'] as const).flatMap((protocol) =>
      resamplingKernels.map((kernel) => [protocol, kernel] as const),
    ),
  )('computes of very long images only what the crops keep: %s, %s', (protocol, kernel) => {
    const small = standardPreprocessing([8, 8], { protocol, kernel });
    for (const image of longImages) {
      for (const crops of [1, 10, 144] as const) {
        const target = new Uint8Array(8 * 8 * 3);
        for (const { write } of viewsOf(image, small, { crops })) {
          write(target.fill(0), 0);
          expect(new Set(target)).toEqual(new Set([90]));
        }
      }
    }
  });

  it('computes squares that coincide on a square image only once', () => {
    expect(viewsOf(gradient(256, 256), preprocessing, { crops: 144 })).toHaveLength(48);
    expect(viewsOf(gradient(200, 250), preprocessing, { crops: 144 })).toHaveLength(144);
  });

  it('takes corners and centre of the central square, each followed by its mirror image', () => {
    // At 256 pixels nothing is resized, so that crop positions can be read from the pixel values.
    const image = gradient(256, 256);
    const expected = [
      [
        [0, 0],
        [223, 223],
      ],
      [
        [223, 0],
        [0, 223],
      ],
      [
        [32, 0],
        [255, 223],
      ],
      [
        [255, 0],
        [32, 223],
      ],
      [
        [0, 32],
        [223, 255],
      ],
      [
        [223, 32],
        [0, 255],
      ],
      [
        [32, 32],
        [255, 255],
      ],
      [
        [255, 32],
        [32, 255],
      ],
      [
        [16, 16],
        [239, 239],
      ],
      [
        [239, 16],
        [16, 239],
      ],
    ];
    expected.forEach((corner, index) => {
      expect(corners(image, 10, index)).toEqual(corner);
      expect(corners(image, 12, index)).toEqual(corner);
    });
    // The whole square, resized.
    const [[left = 9] = [], [right = 0] = []] = corners(image, 12, 10);
    expect([left <= 1, right >= 254]).toEqual([true, true]);
  });

  it('takes three squares along the longer side', () => {
    const wide = gradient(256, 250);
    expect(viewsOf(wide, preprocessing, { crops: 144 }).length).toBeGreaterThan(48);
    const tall = viewsOf(gradient(256, 200), preprocessing, { crops: 144 });
    const firstOfSquares = [0, 12, 24].map((index) => {
      const target = new Uint8Array(224 * 224 * 3);
      tall[index]?.write(target, 0);
      return target[1] as number;
    });
    // 256×200 becomes 327×256: squares begin at rows 0, 35 and 71, which are 0, 27.5 and 55.5 of the image's.
    expect(firstOfSquares[0]).toBe(0);
    expect(firstOfSquares[1]).toBeCloseTo(27, -0.5);
    expect(firstOfSquares[2]).toBeCloseTo(55, -0.5);
  });

  it('is described in words', () => {
    const size = standardPreprocessing([299, 299], { protocol: 'timm', kernel: 'pillow-bicubic' });
    expect(describeViews(size, { crops: 1, flip: true })).toBe(
      "single crop, shorter side to 341, centre 299×299 (Pillow's bicubic), values in [−1, 1], averaged with its mirror image",
    );
    expect(describeViews(size, { crops: 144 })).toBe(
      "144 crops: shorter side 342, 384, 427, 470, 3 squares, 4 corners, centre and the whole square at 299×299, mirrored (Pillow's bicubic), values in [−1, 1]",
    );
    expect(describeViews(size, { crops: 10 })).toMatch(
      '10 crops: shorter side 342, the central square, 4 corners and centre at 299×299',
    );
  });
});

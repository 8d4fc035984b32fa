import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { formulaImage } from '../../test/formula-image.ts';
import { readFixture } from '../../test/golden/fixture.ts';
import { describeProtocol, preprocess, standardPreprocessing } from '../images/preprocess.ts';
import type { ResamplingKernel } from '../images/resize.ts';
import { keras } from './keras.ts';
import { torchvision } from './torchvision.ts';

interface Case {
  readonly kernel: ResamplingKernel;
  readonly from: readonly [number, number];
  readonly sha256: string;
}

const size = [299, 299] as const;
const libraries = { torchvision, keras } as const;

describe('the pixels that a network gets', () => {
  const cases = (Object.keys(libraries) as (keyof typeof libraries)[]).flatMap((library) =>
    readFixture<{ cases: readonly Case[] }>(`protocols/${library}.json`).cases.map(
      (sample) => [library, sample.kernel, sample.from.join('×'), sample] as const,
    ),
  );

  it.each(cases)('are those of %s itself: %s from %s', (library, kernel, _, { from, sha256 }) => {
    const preprocessing = standardPreprocessing(size, { ...libraries[library].preprocessing, kernel });
    const pixels = new Uint8Array(299 * 299 * 3);
    preprocess(formulaImage(from), preprocessing, pixels);
    expect(createHash('sha256').update(pixels).digest('hex')).toBe(sha256);
  });

  it('are described by the defaults of the libraries', () => {
    const described = (library: keyof typeof libraries) =>
      describeProtocol(standardPreprocessing(size, libraries[library].preprocessing));
    expect(described('torchvision')).toBe(
      "single crop, shorter side to 342, centre 299×299 (Pillow's bilinear), values in [−1, 1]",
    );
    expect(described('keras')).toBe(
      "single crop, whole image, stretched to 299×299 (Pillow's nearest), values in [−1, 1]",
    );
  });
});

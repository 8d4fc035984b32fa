import { describe, expect, it } from 'vitest';
import { bytesFor, partsThatFit } from './plan-parts.ts';

const parts = [
  { name: 'classifier', endpoint: 'dropout', length: 2048 },
  { name: 'inceptionB', endpoint: 'inceptionB', length: 768 },
  { name: 'inceptionA', endpoint: 'inceptionA', length: 288 },
] as const;
const work = { images: 100_000, classes: 100, availableBytes: 8e9 };

describe('the parts that a probe tries', () => {
  it('are all of them where the memory holds their features, and what that costs is said', () => {
    // 4 bytes · 100,000 · (2 · 3,104 + 3 · 2,048 + 4 · 100)
    expect(bytesFor(parts, work)).toBe(5_100_800_000);
    expect(partsThatFit(parts, work)).toEqual({
      parts,
      notices: [
        'features of 3 parts, values in brackets: classifier (2,048), inceptionB (768), inceptionA (288); one pass over 100,000 images, a regression for each part, and about 5.1 GB of memory',
      ],
    });
  });

  it('are the last ones where it does not, and the others are said', () => {
    const { parts: kept, notices } = partsThatFit(parts, { ...work, availableBytes: 6.2e9 });
    expect(kept.map(({ name }) => name)).toEqual(['classifier', 'inceptionB']);
    expect(notices[1]).toBe(
      'left out, since all parts would take about 5.1 GB and 6.2 GB are available: inceptionA (288)',
    );
  });

  it('are refused where none fits, and nothing is said of a single one that does', () => {
    expect(() => partsThatFit(parts, { ...work, availableBytes: 2e9 })).toThrow(
      'features: 2,048 values of each of 100,000 images take about 4.3 GB, and 2.0 GB are available; expected fewer images (limitTrain, --limit-train), or a part with fewer values',
    );
    expect(partsThatFit([parts[0]], { ...work, availableBytes: undefined })).toEqual({
      parts: [parts[0]],
      notices: [],
    });
  });
});

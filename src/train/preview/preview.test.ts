import { describe, expect, it } from 'vitest';
import { DataError } from '../../data/data-error.ts';
import type { Dataset } from '../../data/dataset.ts';
import { decodeImage } from '../../data/decode.ts';
import { augment } from '../../images/augment.ts';
import { mildAugmentation } from '../../images/augmentation.ts';
import { randomFor } from '../../random.ts';
import { previewRows } from './draws.ts';
import { drawSheet } from './sheet.ts';

/** 12 images of 'cat', then 2 of 'owl', all of one colour; image 13 is broken. */
const dataset: Dataset = {
  name: 'photos train',
  length: 14,
  classes: ['cat', 'owl'],
  label: (index) => (index < 12 ? 0 : 1),
  nameOf: (index) => `photos/${index}.png`,
  image: (index) => {
    if (index === 13) throw new DataError('photos/13.png: broken');
    return { height: 9, width: 6, channels: 3, data: new Uint8Array(9 * 6 * 3).fill(index * 10) };
  },
};
const options = { augmentation: mildAugmentation, size: [8, 8] as const, seed: 3, rows: 4, epochs: 2 };

describe('previewRows', () => {
  it('shows every class, leaves out what cannot be read, and draws what a training draws', async () => {
    const rows = await previewRows(dataset, options);
    expect(rows.map(({ label }) => label).sort()).toEqual(['cat', 'cat', 'cat', 'owl']);
    for (const { name, draws } of rows) {
      const index = Number(/\d+/.exec(name)?.[0]);
      draws.forEach(({ image, labels }, epoch) => {
        const expected = new Uint8Array(8 * 8 * 3);
        const random = randomFor(3, epoch, index);
        augment(
          dataset.image(index) as never,
          { augmentation: mildAugmentation, size: [8, 8], random },
          expected,
        );
        expect(image.data).toEqual(expected);
        expect(labels).toEqual([[index < 12 ? 'cat' : 'owl', 1]]);
      });
    }
  });

  it('mixes rows and names both labels, the larger share first', async () => {
    const rows = await previewRows(dataset, { ...options, augmentation: { ...mildAugmentation, mixup: 4 } });
    const mixed = rows.flatMap(({ draws }) => draws).filter(({ labels }) => labels.length === 2);
    expect(mixed.length).toBeGreaterThan(0);
    for (const { labels } of mixed) {
      expect(labels.map(([label]) => label).sort()).toEqual(['cat', 'owl']);
      expect((labels[0]?.[1] ?? 0) >= 0.5).toBe(true);
      expect((labels[0]?.[1] ?? 0) + (labels[1]?.[1] ?? 0)).toBeCloseTo(1, 6);
    }
  });

  it('says so if no image can be read', async () => {
    const broken = { ...dataset, image: () => Promise.reject(new DataError('photos/0.png: broken')) };
    await expect(previewRows(broken, options)).rejects.toThrow(
      'photos train: none of the images can be used (photos/0.png: broken)',
    );
  });
});

describe('drawSheet', () => {
  it('is a PNG of all tiles, with markup in names as text', async () => {
    const rows = await previewRows({ ...dataset, classes: ['<b>cat', 'owl & co'] }, options);
    const png = await drawSheet(rows, { title: 'What a <network> will see', notes: ['augmentation: none'] });
    const { height, width } = await decodeImage(png);
    // 4 rows and 3 columns of 160 pixels.
    expect([height > 4 * 160, width > 3 * 160]).toEqual([true, true]);
  });
});

import { describe, expect, it } from 'vitest';
import { fitBatch } from './fit-batch.ts';

/** A network of 1 GB, and 100 MB for each image. */
const memory = { plannedBytes: (batch: number) => 1e9 + batch * 1e8, availableBytes: 10e9, images: 5000 };

describe('--batch auto', () => {
  it('is the largest power of two that fits into four fifths of the available memory', () => {
    expect(fitBatch(memory)).toEqual({
      asked: 'auto',
      taken: 64,
      reason:
        'planned memory 7.40 GB of 10.0 GB available; the next larger one would need more than 80% of it',
    });
  });

  it('is not more than 256, nor than there are images', () => {
    const large = { ...memory, availableBytes: 1e12 };
    expect(fitBatch(large)).toMatchObject({
      taken: 256,
      reason: expect.stringMatching(/the largest that is tried$/),
    });
    expect(fitBatch({ ...large, images: 50 })).toMatchObject({
      taken: 32,
      reason: expect.stringMatching(/; the largest power of two up to 50 training images$/),
    });
    expect(fitBatch({ ...large, images: 5 }).taken).toBe(4);
  });

  it('is refused where a batch of eight does not fit, or the memory is not known', () => {
    expect(() => fitBatch({ ...memory, availableBytes: 2e9 })).toThrow(
      '--batch auto: a batch of 8 needs 1.80 GB, and 2.00 GB are available; a smaller --width or --input-size needs less, and --batch 2 may fit',
    );
    expect(() => fitBatch({ ...memory, availableBytes: undefined })).toThrow(
      '--batch auto: the memory of the CUDA device is not known, because nvidia-smi does not answer; expected a number',
    );
  });
});

/** `--batch auto`: the largest batch whose compiled training fits into the memory that is there. Pure but for the compiler. */
import { UsageError } from '../../errors.ts';
import { gigabytes } from './available-memory.ts';

/** Powers of two: below 8 batch normalisation suffers, beyond 256 the published learning rates were not scaled. */
const [smallest, largest] = [8, 256];

/** Of the available memory, for what operators take while they run, for images and for everything else. */
const usable = 0.8;

/** A batch that was chosen or made smaller, and by what: `config.json` has it as `fitted.batch`. */
export interface FittedBatch {
  readonly asked: number | 'auto';
  readonly taken: number;
  readonly reason: string;
}

interface Memory {
  /** Bytes that a training with this batch needs. */
  readonly plannedBytes: (batch: number) => number;
  /** Undefined where the device does not say. */
  readonly availableBytes: number | undefined;
  /** Training images. */
  readonly images: number;
}

/** @throws UsageError if not even the smallest batch fits, or the memory is not known */
export function fitBatch({ plannedBytes, availableBytes, images }: Memory): FittedBatch {
  if (availableBytes === undefined)
    throw new UsageError(
      '--batch auto: the memory of the CUDA device is not known, because nvidia-smi does not answer; expected a number',
    );
  const most = 2 ** Math.floor(Math.log2(Math.min(largest, images)));
  const limit = usable * availableBytes;
  let fits: { batch: number; bytes: number } | undefined;
  for (let batch = Math.min(smallest, most); batch <= most; batch *= 2) {
    const bytes = plannedBytes(batch);
    if (bytes > limit) {
      if (fits) break;
      throw new UsageError(
        `--batch auto: a batch of ${batch} needs ${gigabytes(bytes)}, and ${gigabytes(availableBytes)} are available; a smaller --width or --input-size needs less, and --batch ${Math.max(2, batch / 4)} may fit`,
      );
    }
    fits = { batch, bytes };
  }
  const { batch, bytes } = fits as { batch: number; bytes: number };
  const bound =
    batch === largest
      ? 'the largest that is tried'
      : batch === most
        ? `the largest power of two up to ${images} training images`
        : `the next larger one would need more than ${usable * 100}% of it`;
  return {
    asked: 'auto',
    taken: batch,
    reason: `planned memory ${gigabytes(bytes)} of ${gigabytes(availableBytes)} available; ${bound}`,
  };
}

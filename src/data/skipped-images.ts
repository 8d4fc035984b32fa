/** What every loop over images does with one that cannot be used: counts it, names it and goes on, within limits. */

import type { Image } from '../images/image.ts';
import { DataError, MissingImageError, StorageError } from './data-error.ts';
import type { Dataset } from './dataset.ts';

/** Fraction of a data set that may be missing before a loop stops: files that vanish are a disk's or a person's doing. */
const missingFraction = 0.01;

export class SkippedImages {
  readonly #dataset: Dataset;
  readonly #onSkip: ((index: number, error: DataError) => void) | undefined;
  readonly #errors = new Map<number, DataError>();
  #missing = 0;

  /** `onSkip` is called once for every image. */
  constructor(dataset: Dataset, onSkip?: (index: number, error: DataError) => void) {
    this.#dataset = dataset;
    this.#onSkip = onSkip;
  }

  has(index: number): boolean {
    return this.#errors.has(index);
  }

  /** The image, or undefined for one that is skipped. @throws as `add` */
  async read(index: number): Promise<Image | undefined> {
    if (this.#errors.has(index)) return undefined;
    try {
      return await this.#dataset.image(index);
    } catch (error) {
      this.add(index, error);
      return undefined;
    }
  }

  /** The image. @throws for one that is skipped the error that it was skipped for, without reading it again */
  decode(index: number): Image | Promise<Image> {
    const error = this.#errors.get(index);
    if (error) throw error;
    return this.#dataset.image(index);
  }

  /**
   * Skips an image.
   * @throws the error if it is not about this image; DataError if too many files are missing, or no image is left
   */
  add(index: number, error: unknown): void {
    if (!(error instanceof DataError) || error instanceof StorageError) throw error;
    if (this.#errors.has(index)) return;
    this.#errors.set(index, error);
    const { name, length } = this.#dataset;
    if (error instanceof MissingImageError) {
      this.#missing++;
      if (this.#missing > Math.max(1, length * missingFraction))
        throw new DataError(
          `${error.message}; ${this.#missing} of the ${length} images of ${name} are missing since they were listed: restore them, or start again with what is there`,
          { cause: error },
        );
    }
    this.#onSkip?.(index, error);
    if (this.#errors.size >= length)
      throw new DataError(`${name}: none of the images can be used (${error.message})`);
  }
}

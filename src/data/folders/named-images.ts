/** Image files that were named one by one as a data set without labels. */
import { DataError, MissingImageError } from '../data-error.ts';
import type { Dataset } from '../dataset.ts';
import { decodeImage } from '../decode.ts';

/** A missing one is an error of its own: however many there are, they do not end a pass over the others. */
export const namedImages = (files: readonly string[], classes: readonly string[] = []): Dataset => ({
  name: 'images',
  length: files.length,
  classes,
  label: () => -1,
  nameOf: (index) => files[index] as string,
  image: async (index) => {
    try {
      return await decodeImage(files[index] as string);
    } catch (error) {
      // A file that is named and not there is a person's mistake here, not a disk that fails under a training.
      if (error instanceof MissingImageError) throw new DataError(error.message, { cause: error });
      throw error;
    }
  },
});

/** Images that were named one by one as a data set without labels. */

import type { Image } from '../../images/image.ts';
import { DataError, MissingImageError } from '../data-error.ts';
import type { Dataset, EncodedImage } from '../dataset.ts';
import { decodeImage } from '../decode.ts';
import { readMember } from '../read-image-file.ts';
import type { NamedImage } from './find-images.ts';

/** A missing one is an error of its own: however many there are, they do not end a pass over the others. */
export const namedImages = (images: readonly NamedImage[], classes: readonly string[] = []): Dataset => ({
  name: 'images',
  length: images.length,
  classes,
  label: () => -1,
  nameOf: (index) => (images[index] as NamedImage).file,
  encoded: (index) => placeOf(images[index] as NamedImage),
  image: async (index) => {
    try {
      return await decodeNamed(images[index] as NamedImage);
    } catch (error) {
      // A file that is named and not there is a person's mistake here, not a disk that fails under a training.
      if (error instanceof MissingImageError) throw new DataError(error.message, { cause: error });
      throw error;
    }
  },
});

const placeOf = ({ file, encoded = { file } }: NamedImage): EncodedImage => encoded;

/** @throws DataError */
export async function decodeNamed(image: NamedImage): Promise<Image> {
  const place = placeOf(image);
  if ('bytes' in place) return decodeImage(place.bytes, { name: image.file });
  const { file, offset, length } = place;
  if (offset === undefined || length === undefined) return decodeImage(file);
  return decodeImage(await readMember({ file, offset, length }), { name: image.file });
}

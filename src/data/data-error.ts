import { InceptionError } from '../errors.ts';

/** Missing or malformed data. Of one image: it cannot be decoded. */
export class DataError extends InceptionError {
  override name = 'DataError';
}

/** An image file that is not there or may not be read: a fact about the disk, not about the image. */
export class MissingImageError extends DataError {
  override name = 'MissingImageError';
}

/** A file system that fails although it was tried again: no image can be relied on. */
export class StorageError extends DataError {
  override name = 'StorageError';
}

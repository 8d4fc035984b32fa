/** Some images of a data set, as a data set. */
import { permutation, randomFor } from '../random.ts';
import { DataError } from './data-error.ts';
import type { Dataset } from './dataset.ts';

/** The images at the given indices, in their order. */
export function selection(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  if (dataset.stream) throw new DataError(`${dataset.name}: is a stream, of which no images can be selected`);
  const original = (index: number) => indices[index] as number;
  const encoded = dataset.encoded?.bind(dataset);
  const pathOf = dataset.pathOf?.bind(dataset);
  return {
    ...dataset,
    length: indices.length,
    label: (index) => dataset.label(original(index)),
    image: (index) => dataset.image(original(index)),
    ...(encoded && { encoded: (index: number) => encoded(original(index)) }),
    nameOf: (index) => dataset.nameOf(original(index)),
    ...(pathOf && { pathOf: (index: number) => pathOf(original(index)) }),
  };
}

/**
 * A fixed random subset of `length` images, spread over the whole data set because folders are sorted by class. Of a stream, that many
 * in each epoch, others in each.
 */
export function subset(dataset: Dataset, length: number): Dataset {
  if (length >= dataset.length) return dataset;
  if (dataset.stream) return { ...dataset, length };
  return selection(dataset, permutation(dataset.length, randomFor(length)).subarray(0, length).sort());
}

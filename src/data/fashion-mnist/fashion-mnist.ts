/** Fashion-MNIST (arXiv 1708.07747): 60,000 training and 10,000 test images, 28×28 grey, from Debian's package. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../data-error.ts';
import type { Dataset } from '../dataset.ts';
import { type IdxArray, readIdx } from './idx.ts';

/** Where Debian's package dataset-fashion-mnist installs it. */
export const fashionMnistFolder = '/usr/share/datasets/fashion-mnist';

/** In the order of the labels. */
export const fashionMnistClasses = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];

const prefixes = { train: 'train', test: 't10k' } as const;

/** Opens a split. @throws DataError naming the package to install. */
export async function openFashionMnist(
  split: keyof typeof prefixes,
  folder: string = fashionMnistFolder,
): Promise<Dataset> {
  const images = await read(folder, `${prefixes[split]}-images-idx3-ubyte.gz`);
  const labels = await read(folder, `${prefixes[split]}-labels-idx1-ubyte.gz`);
  const [length = 0, height = 0, width = 0] = images.shape;
  if (images.shape.length !== 3 || labels.shape.length !== 1 || labels.shape[0] !== length) {
    throw new DataError(
      `${folder}: expected as many labels as images, received images ${images.shape.join('×')} and labels ${labels.shape.join('×')}`,
    );
  }
  const invalid = labels.data.findIndex((label) => label >= fashionMnistClasses.length);
  if (invalid >= 0)
    throw new DataError(`${folder}: label ${invalid} is ${labels.data[invalid]}, expected 0 to 9`);
  return {
    name: `fashion-mnist ${split}`,
    length,
    classes: fashionMnistClasses,
    label: (index) => labels.data[index] as number,
    image: (index) => ({
      height,
      width,
      channels: 1,
      data: images.data.subarray(index * height * width, (index + 1) * height * width),
    }),
    nameOf: (index) => `fashion-mnist ${split} ${index}`,
  };
}

async function read(folder: string, file: string): Promise<IdxArray> {
  const path = join(folder, file);
  try {
    return readIdx(await readFile(path), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new DataError(
      `${path}: no such file; on Debian and Ubuntu, install Fashion-MNIST with 'apt-get install dataset-fashion-mnist'`,
    );
  }
}

/** Embeddings of images as a file of one matrix, with the names of its rows beside. */
import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { UsageError } from '../errors.ts';
import { replaceFile, replaceText } from '../replace-file.ts';
import { writeSafetensors } from '../weights/safetensors/safetensors.ts';

export interface Embeddings {
  /** float32 [files, length] */
  readonly values: Float32Array;
  readonly files: readonly string[];
  readonly length: number;
  /** What made them, for the file beside. */
  readonly description: object;
}

type Write = (path: string, embeddings: Embeddings) => Promise<void>;

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const formats: Readonly<Record<string, Write>> = {
  '.safetensors': (path, { values, files, length }) =>
    writeSafetensors(path, {
      tensors: [{ name: 'embeddings', dtype: 'F32', shape: [files.length, length], read: () => values }],
    }),
  '.npy': async (path, { values, files, length }) => {
    const bytes = Buffer.concat([npyHeader([files.length, length]), bytesOf(values)]);
    await replaceFile(path, (temporary) => writeFile(temporary, bytes));
  },
};

/** Version 1.0 of NumPy's format, as `numpy.save` writes it: a dictionary, padded so that the data begin at a multiple of 64. */
export function npyHeader(shape: readonly number[]): Uint8Array {
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const length = Math.ceil((dictionary.length + 11) / 64) * 64 - 10;
  const head = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, length & 255, length >> 8]);
  return Buffer.concat([head, Buffer.from(`${dictionary.padEnd(length - 1)}\n`, 'latin1')]);
}

/** @throws UsageError for an ending that is none of `.safetensors` and `.npy` */
export function checkEmbeddingsFile(path: string): void {
  if (!formats[extname(path).toLowerCase()])
    throw new UsageError(
      `output: expected a file that ends in ${Object.keys(formats).join(' or ')}, received '${path}'`,
    );
}

/** Writes the matrix, and `FILE.json` with what made it and the image of each row. */
export async function writeEmbeddings(path: string, embeddings: Embeddings): Promise<void> {
  checkEmbeddingsFile(path);
  const { description, files } = embeddings;
  await formats[extname(path).toLowerCase()]?.(path, embeddings);
  await replaceText(`${path}.json`, `${JSON.stringify({ ...description, files }, null, 2)}\n`);
}

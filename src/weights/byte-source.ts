/** An open file of which any range can be read. */
import { open } from 'node:fs/promises';
import { closeOnError } from './file-errors.ts';
import { WeightsError } from './tensor-file.ts';

export interface ByteSource {
  /** In bytes. */
  readonly size: number;
  /** @throws WeightsError if the file does not reach so far. */
  read(position: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Node reads at most 2^31 - 1 bytes at once. */
const mostAtOnce = 2 ** 30;

/** Errors are WeightsErrors that do not name the file, or those of Node. */
export async function openByteSource(path: string): Promise<ByteSource> {
  const file = await open(path, 'r');
  return closeOnError(file, async () => {
    const size = (await file.stat()).size;
    return {
      size,
      async read(position, length) {
        if (position + length > size) {
          throw new WeightsError(`expected ${length} bytes from byte ${position} on, the file has ${size}`);
        }
        const bytes = allocate(length);
        for (let done = 0; done < length; ) {
          const wanted = Math.min(length - done, mostAtOnce);
          const { bytesRead } = await file.read(bytes, done, wanted, position + done);
          if (bytesRead === 0) throw new WeightsError('the file ended while it was read');
          done += bytesRead;
        }
        return bytes;
      },
      close: () => file.close(),
    };
  });
}

function allocate(length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (error) {
    throw new WeightsError(`there is no memory for ${length} bytes at once`, { cause: error });
  }
}

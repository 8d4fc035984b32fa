/** Open files of which any range can be read; their errors name them, and nothing stays open after one. */
import { open } from 'node:fs/promises';
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

/** Gives what `make` gives, and closes the file if it throws instead. */
export async function closeOnError<Result>(
  file: { close(): Promise<void> },
  make: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await make();
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Errors about files, theirs and the system's, begin with the path that the user gave. */
export async function namingFile<Result>(
  path: string,
  action: () => Promise<Result>,
  Failure: typeof WeightsError = WeightsError,
): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    const ofSystem = error instanceof Error && 'syscall' in error;
    if (!(error instanceof WeightsError || ofSystem)) throw error;
    throw new Failure(`${path}: ${error.message}`, { cause: error });
  }
}

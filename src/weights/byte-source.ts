/** Open files that support random access reads. Errors name the file, and no file is left open after one. */
import { type FileHandle, open } from 'node:fs/promises';
import { lfsPointerProblem } from '../git-lfs.ts';
import { WeightsError } from './tensor-file.ts';

export interface ByteSource {
  /** Size in bytes. */
  readonly size: number;
  /** @throws WeightsError if the range extends beyond the file. */
  read(position: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Node reads at most 2^31 - 1 bytes per call. */
const maxReadBytes = 2 ** 30;

/** Opens a file. Errors are WeightsErrors that do not name the file, or Node's own. */
export async function openByteSource(path: string): Promise<ByteSource> {
  const file = await open(path, 'r');
  return closeOnError(file, async () => {
    const size = (await file.stat()).size;
    await refusePointer(file);
    return {
      size,
      async read(position, length) {
        if (position + length > size) {
          throw new WeightsError(`expected ${length} bytes from byte ${position} on, the file has ${size}`);
        }
        const bytes = allocate(length);
        for (let done = 0; done < length; ) {
          const chunk = Math.min(length - done, maxReadBytes);
          const { bytesRead } = await file.read(bytes, done, chunk, position + done);
          if (bytesRead === 0) throw new WeightsError('the file ended while it was being read');
          done += bytesRead;
        }
        return bytes;
      },
      close: () => file.close(),
    };
  });
}

async function refusePointer(file: FileHandle): Promise<void> {
  const head = new Uint8Array(64);
  await file.read(head, 0, head.length, 0);
  const problem = lfsPointerProblem(head);
  if (problem !== undefined) throw new WeightsError(problem);
}

function allocate(length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (error) {
    throw new WeightsError(`cannot allocate ${length} bytes`, { cause: error });
  }
}

/** Returns what `make` returns, but closes the file if it throws. */
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

/** Prefixes file errors, ours and the system's, with the path that the user gave. */
export async function namingFile<Result>(
  path: string,
  action: () => Promise<Result>,
  Failure: typeof WeightsError = WeightsError,
): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    const isSystemError = error instanceof Error && 'syscall' in error;
    if (!(error instanceof WeightsError || isSystemError)) throw error;
    throw new Failure(`${path}: ${error.message}`, { cause: error });
  }
}

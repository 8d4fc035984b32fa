/** What goes wrong with an open file: errors name it, and nothing stays open. */
import { WeightsError } from './tensor-file.ts';

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

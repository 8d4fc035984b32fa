/** What is made of an open file closes it in the end; what fails on the way closes it at once. */

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

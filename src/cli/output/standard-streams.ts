/** Standard output and standard error that are closed or full: `inception … | head`, `> /dev/full`, a terminal that is gone. */

let resultsAreFiles = false;

/** From here on a failing standard output is only said: the results are files, and the work goes on. */
export function goOnWithoutOutput(): void {
  resultsAreFiles = true;
}

/** What to do about an error of standard output. */
export function onOutputError(
  { code, message }: NodeJS.ErrnoException,
  goesOn: boolean,
): { readonly say?: string; readonly exit?: number } {
  if (goesOn) return { say: `warning: standard output: ${message}; the results are in files` };
  // The reader has seen enough, which is not an error.
  if (code === 'EPIPE') return { exit: 0 };
  return { say: `inception: standard output: ${message}`, exit: 1 };
}

export function watchStandardStreams({ stdout, stderr, exit }: NodeJS.Process = process): void {
  // There is nowhere to say it.
  stderr.on('error', () => undefined);
  let said = false;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    const { say, exit: code } = onOutputError(error, resultsAreFiles);
    if (say !== undefined && !said) stderr.write(`${say}\n`);
    said = true;
    if (code !== undefined) exit(code);
  });
}

/** Progress bars on a terminal. */
import { SingleBar } from 'cli-progress';

/** `format` contains `{bar}` and the names of the values. Undefined if the output is not a terminal. */
export function openBar(output: NodeJS.WriteStream, format: string): SingleBar | undefined {
  if (!output.isTTY) return undefined;
  return new SingleBar({
    stream: output,
    format,
    barsize: 20,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    etaBuffer: 1,
  });
}

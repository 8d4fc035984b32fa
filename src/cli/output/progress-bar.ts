/** The bar that long work shows on a terminal. */
import { SingleBar } from 'cli-progress';

/** `format` has `{bar}` and the names of the values; undefined where the output is no terminal. */
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

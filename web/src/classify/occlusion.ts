/**
 * Which parts of an image a label rests on, without gradients (Zeiler and Fergus, arXiv 1311.2901, section 4.2): a grey
 * square covers one part after the other, and what matters is by how much the label's probability falls.
 */
import { inputBytes, type Preprocessing } from '../../../src/images/preprocess.ts';

/** A square is as wide as so many cells, so that neighbours overlap and no edge decides alone. */
const squareCells = 2;

export interface Occlusion {
  /** Copies of the input, one for each cell of `from` to `to`, each with its square covered. */
  covered(from: number, to: number): Uint8Array<ArrayBuffer>;
}

export function occlusion(
  input: Uint8Array,
  { preprocessing, cells }: { preprocessing: Preprocessing; cells: number },
): Occlusion {
  const [height, width] = preprocessing.size;
  const channels = preprocessing.channels ?? 3;
  const bytes = inputBytes(preprocessing);
  // What the network takes for nothing: the value that is scaled to zero.
  const grey = Array.from({ length: channels }, (_, channel) =>
    Math.round(255 * (preprocessing.mean[channel] as number)),
  );
  const span = (cell: number, side: number): readonly [number, number] => {
    const centre = ((cell + 0.5) * side) / cells;
    const half = (squareCells * side) / cells / 2;
    return [Math.max(0, Math.round(centre - half)), Math.min(side, Math.round(centre + half))];
  };
  return {
    covered: (from, to) => {
      const copies = new Uint8Array((to - from) * bytes);
      for (let cell = from; cell < to; cell++) {
        const offset = (cell - from) * bytes;
        copies.set(input, offset);
        const [top, bottom] = span(Math.floor(cell / cells), height);
        const [left, right] = span(cell % cells, width);
        for (let y = top; y < bottom; y++)
          for (
            let at = offset + (y * width + left) * channels, end = at + (right - left) * channels;
            at < end;
          )
            for (let channel = 0; channel < channels; channel++) copies[at++] = grey[channel] as number;
      }
      return copies;
    },
  };
}

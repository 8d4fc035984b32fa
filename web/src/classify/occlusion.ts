/**
 * Finds the parts of an image that a label depends on, without gradients (Zeiler and Fergus, arXiv 1311.2901, section 4.2): a
 * grey square covers each part in turn, and the drop of the label's probability is measured.
 */
import { inputBytes, type Preprocessing } from '../../../src/images/preprocess.ts';

/** Width of the square in cells; squares overlap so that no single edge decides. */
const squareCells = 2;

export interface Occlusion {
  /** Copies of the input, one per cell in [`from`, `to`), each with its square covered. */
  covered(from: number, to: number): Uint8Array<ArrayBuffer>;
}

export function occlusion(
  input: Uint8Array,
  { preprocessing, cells }: { preprocessing: Preprocessing; cells: number },
): Occlusion {
  const [height, width] = preprocessing.size;
  const channels = preprocessing.channels ?? 3;
  const bytes = inputBytes(preprocessing);
  // The pixel value that preprocessing scales to zero.
  const grey = Array.from({ length: channels }, (_, channel) =>
    Math.round(255 * (preprocessing.mean[channel] as number)),
  );
  const span = (cell: number, side: number): readonly [number, number] => {
    const centre = ((cell + 0.5) * side) / cells;
    const half = (squareCells * side) / cells / 2;
    return [Math.max(0, Math.round(centre - half)), Math.min(side, Math.round(centre + half))];
  };
  return {
    covered: (start, end) => {
      const copies = new Uint8Array((end - start) * bytes);
      for (let cell = start; cell < end; cell++) {
        const offset = (cell - start) * bytes;
        copies.set(input, offset);
        const [top, bottom] = span(Math.floor(cell / cells), height);
        const [left, right] = span(cell % cells, width);
        for (let y = top; y < bottom; y++)
          for (
            let index = offset + (y * width + left) * channels, rowEnd = index + (right - left) * channels;
            index < rowEnd;
          )
            for (let channel = 0; channel < channels; channel++) copies[index++] = grey[channel] as number;
      }
      return copies;
    },
  };
}

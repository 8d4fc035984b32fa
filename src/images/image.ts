/** A decoded image and the cutting of a part of it to a given size. Pure; also for browsers. */

export interface Image {
  readonly height: number;
  readonly width: number;
  /** 1 is grey; resampling gives three equal channels. */
  readonly channels: 1 | 3;
  /** [height, width, channels], 0–255. */
  readonly data: Uint8Array;
}

/** A rectangle in pixels of the image; it may be fractional and reach beyond the edges, where the image is black. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

export interface Sampling {
  readonly box: Box;
  /** [height, width] of the result. */
  readonly size: readonly [height: number, width: number];
  readonly flip?: boolean;
}

/**
 * Resamples a box bilinearly, with half-pixel centres and without antialiasing, as TensorFlow's crop and resize in the
 * paper's training do. Writes [height, width, 3] to `target` from `offset`.
 */
export function resample(
  image: Image,
  { box, size, flip = false }: Sampling,
  target: Uint8Array,
  offset = 0,
): void {
  const [height, width] = size;
  const rows = taps(box.top, box.height, { out: height, length: image.height, flip: false });
  const columns = taps(box.left, box.width, { out: width, length: image.width, flip });
  const { channels, data } = image;
  const rowLength = image.width * channels;
  let at = offset;
  for (let y = 0; y < height; y++) {
    const upper = (rows.first[y] as number) * rowLength;
    const lower = (rows.second[y] as number) * rowLength;
    const upperShare = rows.firstShare[y] as number;
    const lowerShare = rows.secondShare[y] as number;
    for (let x = 0; x < width; x++) {
      const left = (columns.first[x] as number) * channels;
      const right = (columns.second[x] as number) * channels;
      const leftShare = columns.firstShare[x] as number;
      const rightShare = columns.secondShare[x] as number;
      for (let channel = 0; channel < channels; channel++) {
        const above =
          (data[upper + left + channel] as number) * leftShare +
          (data[upper + right + channel] as number) * rightShare;
        const below =
          (data[lower + left + channel] as number) * leftShare +
          (data[lower + right + channel] as number) * rightShare;
        target[at++] = above * upperShare + below * lowerShare + 0.5;
      }
      if (channels === 1) {
        const grey = target[at - 1] as number;
        target[at++] = grey;
        target[at++] = grey;
      }
    }
  }
}

interface Taps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly firstShare: Float32Array;
  readonly secondShare: Float32Array;
}

/** For every output position the two source positions and their shares; a share outside the image is zero. */
function taps(
  start: number,
  extent: number,
  { out, length, flip }: { out: number; length: number; flip: boolean },
): Taps {
  const first = new Int32Array(out);
  const second = new Int32Array(out);
  const firstShare = new Float32Array(out);
  const secondShare = new Float32Array(out);
  const scale = extent / out;
  // Inside the image the edge pixel continues for half a pixel, as in every resizer; beyond, it is black.
  const inside = start >= 0 && start + extent <= length;
  for (let index = 0; index < out; index++) {
    let centre = start + (index + 0.5) * scale - 0.5;
    if (inside) centre = Math.min(Math.max(centre, 0), length - 1);
    const low = Math.floor(centre);
    const share = centre - low;
    const at = flip ? out - 1 - index : index;
    if (low >= 0 && low < length) {
      first[at] = low;
      firstShare[at] = 1 - share;
    }
    if (low + 1 >= 0 && low + 1 < length) {
      second[at] = low + 1;
      secondShare[at] = share;
    }
  }
  return { first, second, firstShare, secondShare };
}

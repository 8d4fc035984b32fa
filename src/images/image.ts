/** A decoded image, and resampling a box of it to a given size. Pure; also for browsers. */

/** A decoded image. */
export interface Image {
  readonly height: number;
  readonly width: number;
  /** 1 is grey; resampling turns it into three equal channels. */
  readonly channels: 1 | 3;
  /** [height, width, channels], 0–255. */
  readonly data: Uint8Array;
}

/** A rectangle of whole pixels. */
export interface Part {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Crops a rectangle of whole pixels. */
export function cropImage({ width, channels, data }: Image, part: Part): Image {
  const rowLength = part.width * channels;
  const result = new Uint8Array(part.height * rowLength);
  for (let y = 0; y < part.height; y++) {
    const start = ((part.top + y) * width + part.left) * channels;
    result.set(data.subarray(start, start + rowLength), y * rowLength);
  }
  return { height: part.height, width: part.width, channels, data: result };
}

/** A rectangle in pixels; it may be fractional and extend beyond the image, which is black there. */
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
  /** The rectangle of the result that is computed and written; default: all of it. Not together with `flip`. */
  readonly part?: Part;
}

/**
 * Weights are in units of 2⁻¹⁴ and the values between the two directions in units of 2⁻⁷: integers, whose results are the same bits in
 * native/images/, in any browser and with any instruction set. No result is further than one level from that in real numbers.
 */
const unit = 1 << 14;

/**
 * Resamples a box bilinearly, with half-pixel centres and without antialiasing, like TensorFlow's crop and resize in the
 * paper's training. Writes [height, width, 3] into `target` at `offset`.
 */
export function resample(
  image: Image,
  { box, size, flip = false, part = { top: 0, left: 0, height: size[0], width: size[1] } }: Sampling,
  target: Uint8Array,
  offset = 0,
): void {
  const { height, width } = part;
  const rows = taps(box.top, box.height, {
    outputLength: size[0],
    length: image.height,
    flip: false,
    from: part.top,
    count: height,
  });
  const columns = taps(box.left, box.width, {
    outputLength: size[1],
    length: image.width,
    flip,
    from: part.left,
    count: width,
  });
  const { channels, data } = image;
  const rowLength = image.width * channels;
  let index = offset;
  for (let y = 0; y < height; y++) {
    const upper = (rows.first[y] as number) * rowLength;
    const lower = (rows.second[y] as number) * rowLength;
    const upperWeight = rows.firstWeight[y] as number;
    const lowerWeight = rows.secondWeight[y] as number;
    for (let x = 0; x < width; x++) {
      const left = (columns.first[x] as number) * channels;
      const right = (columns.second[x] as number) * channels;
      const leftWeight = columns.firstWeight[x] as number;
      const rightWeight = columns.secondWeight[x] as number;
      for (let channel = 0; channel < channels; channel++) {
        const leftValue =
          ((data[upper + left + channel] as number) * upperWeight +
            (data[lower + left + channel] as number) * lowerWeight +
            (1 << 6)) >>
          7;
        const rightValue =
          ((data[upper + right + channel] as number) * upperWeight +
            (data[lower + right + channel] as number) * lowerWeight +
            (1 << 6)) >>
          7;
        target[index++] = (leftValue * leftWeight + rightValue * rightWeight + (1 << 20)) >> 21;
      }
      if (channels === 1) {
        const grey = target[index - 1] as number;
        target[index++] = grey;
        target[index++] = grey;
      }
    }
  }
}

interface Taps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly firstWeight: Int32Array;
  readonly secondWeight: Int32Array;
}

/** `count` output positions of `outputLength`, from `from` on, of an image side of `length` pixels. */
interface TapsOptions {
  readonly outputLength: number;
  readonly length: number;
  readonly flip: boolean;
  readonly from: number;
  readonly count: number;
}

/** The two source positions and their weights for every output position; outside the image weights are zero. */
function taps(start: number, extent: number, { outputLength, length, flip, from, count }: TapsOptions): Taps {
  const first = new Int32Array(count);
  const second = new Int32Array(count);
  const firstWeight = new Int32Array(count);
  const secondWeight = new Int32Array(count);
  const scale = extent / outputLength;
  // Within the image the edge pixel extends by half a pixel, as in every resizer; beyond that it is black.
  const inside = start >= 0 && start + extent <= length;
  for (let index = 0; index < count; index++) {
    let centre = start + (from + index + 0.5) * scale - 0.5;
    if (inside) centre = Math.min(Math.max(centre, 0), length - 1);
    const low = Math.floor(centre);
    const weight = Math.floor((centre - low) * unit + 0.5);
    const position = flip ? count - 1 - index : index;
    if (low >= 0 && low < length) {
      first[position] = low;
      firstWeight[position] = unit - weight;
    }
    if (low + 1 >= 0 && low + 1 < length) {
      second[position] = low + 1;
      secondWeight[position] = weight;
    }
  }
  return { first, second, firstWeight, secondWeight };
}

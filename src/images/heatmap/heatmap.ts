/** A map of values laid over an image. Pure; also for browsers. */
import type { Box, Image } from '../image.ts';
import { inferno } from './colour-map.ts';

/** Values on a grid of cells, row by row. */
export interface ValueMap {
  readonly height: number;
  readonly width: number;
  /** 0 and above. */
  readonly values: Float32Array;
}

/** How much of a pixel is the map's colour; the rest is the image in grey. */
const opacity = 0.5;
/** What is left of the brightness of pixels that the network does not see. */
const outside = 0.35;

/**
 * The image in grey under the colours of the map, which is spread bilinearly over `box`, the part of the image that the network sees;
 * the rest is dark. The value `top` and above have the last colour.
 */
export function overlay(
  image: Image,
  { map, box, top }: { readonly map: ValueMap; readonly box: Box; readonly top: number },
): Image {
  const { height, width, channels, data } = image;
  const result = new Uint8Array(height * width * 3);
  for (let y = 0, pixel = 0; y < height; y++) {
    const row = (y + 0.5 - box.top) / box.height;
    for (let x = 0; x < width; x++, pixel++) {
      const column = (x + 0.5 - box.left) / box.width;
      const grey = luma(data, pixel * channels, channels);
      const seen = row >= 0 && row <= 1 && column >= 0 && column <= 1;
      const value = seen && top > 0 ? valueAt(map, row * map.height, column * map.width) / top : 0;
      const colour = inferno(value);
      for (let channel = 0; channel < 3; channel++)
        result[pixel * 3 + channel] = seen
          ? grey * (1 - opacity) + (colour[channel] as number) * opacity + 0.5
          : grey * outside;
    }
  }
  return { height, width, channels: 3, data: result };
}

/** Bilinear, with half-cell centres; cells at the edge reach to the edge. */
export function valueAt({ height, width, values }: ValueMap, row: number, column: number): number {
  const [y, x] = [clamp(row - 0.5, height - 1), clamp(column - 0.5, width - 1)];
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [bottom, right] = [Math.min(top + 1, height - 1), Math.min(left + 1, width - 1)];
  const at = (cellRow: number, cellColumn: number) => values[cellRow * width + cellColumn] as number;
  const mix = (a: number, b: number, share: number) => a + (b - a) * share;
  return mix(
    mix(at(top, left), at(top, right), x - left),
    mix(at(bottom, left), at(bottom, right), x - left),
    y - top,
  );
}

const clamp = (value: number, most: number): number => Math.min(Math.max(value, 0), most);

/** ITU-R 601. */
const luma = (data: Uint8Array, at: number, channels: 1 | 3): number =>
  channels === 1
    ? (data[at] as number)
    : 0.299 * (data[at] as number) + 0.587 * (data[at + 1] as number) + 0.114 * (data[at + 2] as number);

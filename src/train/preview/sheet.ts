/** A sheet of images with their labels, as a PNG. */
import { basename } from 'node:path';
import type { OverlayOptions } from 'sharp';
import { loadSharp } from '../../data/decode.ts';
import { escapeMarkup } from '../../data/draw-text.ts';
import { resizeAny } from '../../images/geometry.ts';
import type { Image } from '../../images/image.ts';
import type { PreviewDraw, PreviewRow } from './draws.ts';

/** Sides of a tile, in pixels. */
const longestSide = 160;
const margin = 24;
const gap = 10;
const header = 108;
const caption = 40;
const colours = { paper: [250, 250, 248], frame: [226, 228, 230], ink: '#1f2933', note: '#5a6672' } as const;

interface Text {
  readonly text: string;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly colour?: string;
  readonly size?: number;
  readonly bold?: boolean;
}

/** Originals in the first column, whole; then a column for each epoch. */
export async function drawSheet(
  rows: readonly PreviewRow[],
  { title, notes }: { title: string; notes: readonly string[] },
): Promise<Uint8Array> {
  const columns = 1 + (rows[0]?.draws.length ?? 0);
  const [first] = rows[0]?.draws ?? [];
  const tile = tileSize(first?.image ?? { height: longestSide, width: longestSide });
  const place = (row: number, column: number) => ({
    left: margin + column * (tile.width + gap) + (column > 0 ? gap : 0),
    top: header + row * (tile.height + caption),
  });
  const width = place(0, columns).left - gap + margin;
  const height = place(rows.length, 0).top + margin / 2;
  const canvas = { width, height, data: Buffer.alloc(width * height * 3) };
  for (let index = 0; index < canvas.data.length; index++)
    canvas.data[index] = colours.paper[(index % 3) as 0 | 1 | 2];
  const whole = width - 2 * margin;
  const texts: Text[] = [
    { text: title, left: margin, top: 16, width: whole, size: 13, bold: true },
    ...notes.map((text, line) => ({
      text,
      left: margin,
      top: 42 + 18 * line,
      width: whole,
      colour: colours.note,
    })),
    ...Array.from({ length: columns }, (_, column) => ({
      text: column === 0 ? 'the whole image' : `epoch ${column}`,
      left: place(0, column).left,
      top: header - 20,
      width: tile.width,
      bold: true,
    })),
  ];
  const mixed = rows.some(({ draws }) => draws.some(({ labels }) => labels.length > 1));
  rows.forEach(({ original, draws, label, name }, row) => {
    [original, ...draws.map(({ image }) => image)].forEach((image, column) => {
      paste(canvas, fitted(image, tile), { ...place(row, column), tile });
    });
    const below = (column: number) => ({
      left: place(row, column).left,
      top: place(row, column).top + tile.height + 4,
      width: tile.width,
    });
    texts.push({ ...below(0), text: label });
    texts.push({ ...below(0), top: below(0).top + 15, text: basename(name), colour: colours.note });
    draws.forEach((draw, column) => {
      // Where nothing is mixed the row has the label.
      if (mixed)
        captions(draw).forEach((text, line) => {
          texts.push({
            ...below(column + 1),
            top: below(column + 1).top + 15 * line,
            text,
            colour: colours.note,
          });
        });
    });
  });
  const sharp = await loadSharp();
  const overlays = texts.filter(({ text }) => text.trim() !== '').map(overlayOf);
  return sharp(canvas.data, { raw: { width, height, channels: 3 } })
    .composite(overlays)
    .png()
    .toBuffer();
}

const captions = ({ labels }: PreviewDraw): string[] =>
  labels.map(([label, share]) => `${Math.round(share * 100)}% ${label}`);

/** As large as the network's input, or as many times larger as fits. */
function tileSize({ height, width }: Pick<Image, 'height' | 'width'>) {
  const scale = longestSide / Math.max(height, width);
  const factor = scale >= 2 ? Math.floor(scale) : scale;
  return { height: Math.max(1, Math.round(height * factor)), width: Math.max(1, Math.round(width * factor)) };
}

/** Inside the tile, with its own aspect ratio; small images get visible pixels. */
function fitted(image: Image, tile: Pick<Image, 'height' | 'width'>): Image {
  const { height, width } = image;
  const scale = Math.min(tile.height / height, tile.width / width);
  const side = (length: number, most: number) => Math.min(most, Math.max(1, Math.round(length * scale)));
  const size = [side(height, tile.height), side(width, tile.width)] as const;
  return resizeAny(image, scale > 1 ? 'pillow-nearest' : 'pillow-bilinear', { size });
}

interface Canvas {
  readonly width: number;
  readonly data: Uint8Array;
}

/** In the middle of the tile, over a frame that fills the rest. */
function paste(
  { width, data }: Canvas,
  image: Image,
  { left, top, tile }: { left: number; top: number; tile: Pick<Image, 'height' | 'width'> },
): void {
  const [x, y] = [Math.floor((tile.width - image.width) / 2), Math.floor((tile.height - image.height) / 2)];
  for (let row = 0; row < tile.height; row++) {
    for (let column = 0; column < tile.width; column++) {
      const inside = row >= y && row < y + image.height && column >= x && column < x + image.width;
      const from = ((row - y) * image.width + column - x) * image.channels;
      for (let channel = 0; channel < 3; channel++)
        data[((top + row) * width + left + column) * 3 + channel] = inside
          ? (image.data[from + (image.channels === 1 ? 0 : channel)] as number)
          : (colours.frame[channel as 0 | 1 | 2] as number);
    }
  }
}

/** Cut in the middle where it would be too wide: names differ at both ends. */
function shortened(text: string, width: number, size: number): string {
  const most = Math.max(4, Math.floor(width / (size * 0.72)));
  if (text.length <= most) return text;
  const tail = Math.floor((most - 1) / 2);
  return `${text.slice(0, most - 1 - tail)}…${text.slice(text.length - tail)}`;
}

/** Text is cropped to its ink: unseen letters with all ascents and descents keep lines in line. */
const strut = '<span alpha="1">Ágj|</span>';

function overlayOf({
  text,
  left,
  top,
  width,
  colour = colours.ink,
  size = 10,
  bold = false,
}: Text): OverlayOptions {
  const escaped = escapeMarkup(shortened(text, width, size));
  const markup = `<span foreground="${colour}"${bold ? ' weight="bold"' : ''}>${escaped}</span>${strut}`;
  // Not the width: pango would break lines.
  return { input: { text: { text: markup, font: `sans ${size}`, rgba: true, dpi: 80 } }, left, top };
}

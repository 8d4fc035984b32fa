/** An explanation as an image that says what it shows. */
import { drawText, type TextMask } from '../data/draw-text.ts';
import { resizeAny } from '../images/geometry.ts';
import { inferno } from '../images/heatmap/colour-map.ts';
import { overlay } from '../images/heatmap/heatmap.ts';
import type { Box, Image } from '../images/image.ts';
import { describeEffectiveField, type EffectiveField } from './effective-field.ts';
import type { Explanation } from './explain.ts';

/** Small images are enlarged and large ones reduced, so that both map and legend can be read. */
const [leastSide, mostSide] = [480, 1280];
const margin = 12;
const barHeight = 14;

/** What an explanation is of, in one line. */
export function describeExplanation(explanation: Explanation): string {
  const { label, probability, method, part, samples, map } = explanation;
  const what = {
    'grad-cam': `Grad-CAM of ${part}, ${map.height}×${map.width}`,
    'input-gradient': 'gradient of the input',
    'smooth-grad': `gradient of the input, mean of ${samples} noisy copies (SmoothGrad)`,
  }[method];
  return `${label}, ${(100 * probability).toFixed(1)}% · ${what}`;
}

/**
 * The image under its map, above a colour bar and a line that says what is shown.
 * `legible` is false where the machine has no font to write the line with.
 */
export const drawExplanation = (image: Image, explanation: Explanation): Promise<Drawn> =>
  drawMap(image, {
    ...explanation,
    title: describeExplanation(explanation),
    scale: scaleText(explanation),
  });

/** An effective receptive field in the same way. */
export const drawEffectiveField = (image: Image, field: EffectiveField): Promise<Drawn> =>
  drawMap(image, {
    ...field,
    title: describeEffectiveField(field),
    scale: `0 to ${Number(field.top.toPrecision(2))}: how fast the unit changes with each pixel`,
  });

interface Drawn {
  readonly image: Image;
  readonly legible: boolean;
}

interface Titled extends Pick<Explanation, 'map' | 'top' | 'box'> {
  readonly title: string;
  /** What the colours mean. */
  readonly scale: string;
}

async function drawMap(
  image: Image,
  { map, top, box, title: titleText, scale: scaleLine }: Titled,
): Promise<Drawn> {
  const scale = scaleOf(image);
  const [height, width] = [image.height, image.width].map((side) =>
    Math.max(1, Math.round(side * scale)),
  ) as [number, number];
  const shown = scale === 1 ? image : resizeAny(image, 'pillow-bicubic', { size: [height, width] });
  const drawn = overlay(shown, { map, top, box: scaled(box, [height / image.height, width / image.width]) });
  const canvasWidth = Math.max(width, leastSide);
  const inside = canvasWidth - 2 * margin;
  const title = await drawText(titleText, { size: 20, width: inside });
  const most = await drawText(scaleLine, { size: 14, width: inside });
  const rows = { title: height + margin, bar: 0, most: 0 };
  rows.bar = rows.title + title.height + margin;
  rows.most = rows.bar + barHeight + 6;
  const canvas = new Canvas(rows.most + most.height + margin, canvasWidth);
  canvas.place(drawn, Math.floor((canvasWidth - width) / 2));
  canvas.write(title, { top: rows.title, left: margin });
  canvas.bar({ top: rows.bar, left: margin, width: inside });
  canvas.write(most, { top: rows.most, left: margin });
  return { image: canvas.image, legible: title.ink.some((ink) => ink > 0) };
}

function scaleText({ method, top }: Explanation): string {
  const most = Number(top.toPrecision(2));
  return method === 'grad-cam'
    ? `0 to ${most}: how much each cell speaks for the label`
    : `0 to ${most} (99th percentile): how fast the logit changes with each pixel`;
}

function scaleOf({ height, width }: Image): number {
  const longest = Math.max(height, width);
  if (longest < leastSide) return leastSide / longest;
  return longest > mostSide ? mostSide / longest : 1;
}

const scaled = (
  { top, left, height, width }: Box,
  [vertical, horizontal]: readonly [number, number],
): Box => ({
  top: top * vertical,
  left: left * horizontal,
  height: height * vertical,
  width: width * horizontal,
});

/** White, with dark ink. */
class Canvas {
  readonly image: Image;

  constructor(height: number, width: number) {
    this.image = { height, width, channels: 3, data: new Uint8Array(height * width * 3).fill(255) };
  }

  /** An image of three channels at the top. */
  place({ height, width, data }: Image, left: number): void {
    for (let y = 0; y < height; y++)
      this.image.data.set(
        data.subarray(y * width * 3, (y + 1) * width * 3),
        (y * this.image.width + left) * 3,
      );
  }

  write({ height, width, ink }: TextMask, { top, left }: { top: number; left: number }): void {
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width && left + x < this.image.width; x++) {
        const value = 255 - 0.87 * (ink[y * width + x] as number);
        const at = ((top + y) * this.image.width + left + x) * 3;
        this.image.data.fill(value, at, at + 3);
      }
  }

  bar({ top, left, width }: { top: number; left: number; width: number }): void {
    for (let x = 0; x < width; x++) {
      const colour = inferno(x / (width - 1)).map(Math.round);
      for (let y = top; y < top + barHeight; y++)
        this.image.data.set(colour, (y * this.image.width + left + x) * 3);
    }
  }
}

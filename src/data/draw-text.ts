/** Text as pixels, by the fonts of the machine. */
import { loadSharp } from './decode.ts';

/** How much each pixel is covered by the text's ink. */
export interface TextMask {
  readonly height: number;
  readonly width: number;
  /** [height, width], 0–255; all zero where the machine has no font. */
  readonly ink: Uint8Array;
}

/** For pango, which reads the text as markup. */
export const escapeMarkup = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** @param options.size the height of a line, about, and `width` at which lines are wrapped, both in pixels */
export async function drawText(
  text: string,
  { size, width }: { readonly size: number; readonly width: number },
): Promise<TextMask> {
  const load = await loadSharp();
  // At 72 dots an inch a point is a pixel.
  const { data, info } = await load({
    text: {
      text: escapeMarkup(text),
      font: `sans ${Math.round(size * 0.75)}`,
      dpi: 72,
      width,
      wrap: 'word-char',
    },
  })
    .extractChannel(0)
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { height: info.height, width: info.width, ink: data };
}

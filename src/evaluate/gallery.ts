/** A sheet of classified images: prediction, probability and true class of each. */

export interface GalleryEntry {
  /** Bytes of a PNG file. */
  readonly png: Uint8Array;
  readonly label: string;
  readonly predicted: string;
  readonly probability: number;
}

const cell = { width: 150, height: 196, image: 112 };
const columns = 6;
const margin = 24;
const top = 64;

/** Draws the sheet as SVG, light or dark like the reader's page. */
export function drawGallery(entries: readonly GalleryEntry[], title: string): string {
  const width = margin * 2 + columns * cell.width;
  const height = top + Math.ceil(entries.length / columns) * cell.height + margin;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escapeText(title)}</title>
<style>
  svg { color-scheme: light dark; --paper: #ffffff; --ink: #1f2933; --note: #52606d; --right: #2f7d32; --wrong: #b3261e; --rest: #dfe4ea; }
  @media (prefers-color-scheme: dark) { svg { --paper: #14181d; --ink: #e6ebf0; --note: #aab6c2; --right: #6bbf6f; --wrong: #f2827a; --rest: #323b45; } }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: var(--ink); }
  .title { font-size: 17px; font-weight: 600; }
  .note { fill: var(--note); font-size: 12px; }
  .right { fill: var(--right); } .wrong { fill: var(--wrong); }
  image { image-rendering: pixelated; }
</style>
<rect width="${width}" height="${height}" style="fill: var(--paper)"/>
<text class="title" x="${margin}" y="38">${escapeText(title)}</text>
${entries.map(drawEntry).join('\n')}
</svg>
`;
}

function drawEntry({ png, label, predicted, probability }: GalleryEntry, index: number): string {
  const x = margin + (index % columns) * cell.width;
  const y = top + Math.floor(index / columns) * cell.height;
  const correct = label === predicted;
  const cssClass = correct ? 'right' : 'wrong';
  const barY = y + cell.image + 6;
  const barWidth = Math.round(cell.image * probability);
  const truth = correct ? '' : `<text class="note" x="${x}" y="${barY + 42}">is: ${escapeText(label)}</text>`;
  return `<image x="${x}" y="${y}" width="${cell.image}" height="${cell.image}" href="data:image/png;base64,${Buffer.from(png).toString('base64')}"/>
<rect x="${x}" y="${barY}" width="${cell.image}" height="5" style="fill: var(--rest)"/><rect class="${cssClass}" x="${x}" y="${barY}" width="${barWidth}" height="5"/>
<text class="${cssClass}" x="${x}" y="${barY + 24}">${correct ? '✓' : '✗'} ${escapeText(predicted)} ${Math.round(probability * 100)}%</text>${truth}`;
}

const escapeText = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

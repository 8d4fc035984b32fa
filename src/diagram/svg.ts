/** A sheet as SVG, light and dark. */
import type { Item, Point } from './diagram-layout.ts';
import { baselines, dark, fontSizes, light, markRadius, type Scheme, type Sheet } from './sheet.ts';

/** Colours are written out, without custom properties, which librsvg, Inkscape and office programs do not know. */
const colours = ({ paper, ink, line, note, mark, fill, edge }: Scheme): string => `
  text { fill: ${ink}; }
  .note { fill: ${note}; }
  path, polyline { stroke: ${line}; }
  .head { fill: ${line}; }
  .paper { fill: ${paper}; }
  .mark { fill: ${mark}; }
  .number { fill: #ffffff; }
${Object.keys(fill)
  .map(
    (look) =>
      `  .${look} { fill: ${fill[look as keyof typeof fill]}; stroke: ${edge[look as keyof typeof edge]}; }`,
  )
  .join('\n')}
`;

const shapes = `
  text { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: ${fontSizes.inside}px; }
  .inside, .number { text-anchor: middle; }
  .title { font-size: ${fontSizes.title}px; font-weight: 600; }
  .number { font-size: ${fontSizes.mark}px; font-weight: 600; }
  polyline { fill: none; stroke-width: 1.3; }
  .head { stroke: none; }
`;

/** The text of an SVG file. `onlyLight` leaves out the dark colours. */
export function svgOf(
  { title, description, width, height, items }: Sheet,
  { onlyLight = false }: { onlyLight?: boolean } = {},
): string {
  const style = `${shapes}${colours(light)}${
    onlyLight ? '' : `  @media (prefers-color-scheme: dark) {${colours(dark)}  }\n`
  }`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escapeText(title)}</title>
<desc>${escapeText(description)}</desc>
<style>${style}</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path class="head" d="M0.5 0.5 L7.5 4 L0.5 7.5 Z"/></marker></defs>
<rect class="paper" width="${width}" height="${height}"/>
${items.map(element).join('\n')}
</svg>
`;
}

const round = (value: number): number => Math.round(value * 10) / 10;

function element(item: Item): string {
  switch (item.kind) {
    case 'box': {
      const { x, y, width, height, lines, look } = item;
      const rect = `<rect class="${look}" x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="5"/>`;
      const texts = baselines(item).map(
        (baseline, index) =>
          `<text class="inside" x="${round(x + width / 2)}" y="${round(baseline)}">${escapeText(lines[index] as string)}</text>`,
      );
      return rect + texts.join('');
    }
    case 'circle':
      return `<circle class="plain" cx="${round(item.x)}" cy="${round(item.y)}" r="${item.radius}"/><text class="inside" x="${round(item.x)}" y="${round(item.y + 4.5)}">${escapeText(item.text)}</text>`;
    case 'mark':
      return `<g><title>${escapeText(item.why)}</title><circle class="mark" cx="${round(item.x)}" cy="${round(item.y)}" r="${markRadius}"/><text class="number" x="${round(item.x)}" y="${round(item.y + 4)}">${escapeText(item.text)}</text></g>`;
    case 'path': {
      const points = item.points.map(([x, y]: Point) => `${round(x)},${round(y)}`);
      return `<polyline points="${points.join(' ')}"${item.arrow ? ' marker-end="url(#head)"' : ''}/>`;
    }
    case 'text':
      return `<text class="${item.look}" x="${round(item.x)}" y="${round(item.y)}">${escapeText(item.text)}</text>`;
  }
}

const escapeText = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

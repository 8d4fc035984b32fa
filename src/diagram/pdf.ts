/**
 * A sheet as a PDF of one page, with Helvetica and Symbol, which every reader has: nothing is embedded. Written by hand, because a
 * figure needs six operators (docs/decisions/0045-diagrams-as-pdf.md); the format is that of ISO 32000-1.
 */
import { UsageError } from '../errors.ts';
import type { Item, Look, Point } from './diagram-layout.ts';
import { baselines, fontSizes, light, markRadius, type Sheet } from './sheet.ts';

/** 96 pixels and 72 points are an inch. */
const pointsPerPixel = 0.75;

/** Widths of Helvetica's characters from U+0020 to U+007E, in thousandths of the font size, from Adobe's AFM files. */
const widths = [
  278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
  556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
  500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
  556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
  278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

interface Glyph {
  readonly font: 'text' | 'symbol';
  readonly code: number;
  readonly width: number;
}

/** Characters of the drawings that are not ASCII; the first two are WinAnsi's, the others Symbol's. */
const others: Readonly<Record<string, Glyph>> = {
  '×': { font: 'text', code: 0xd7, width: 584 },
  '·': { font: 'text', code: 0xb7, width: 278 },
  '→': { font: 'symbol', code: 0xae, width: 987 },
  '−': { font: 'symbol', code: 0x2d, width: 549 },
};

/** @throws UsageError for a character that these fonts do not have */
function glyphOf(character: string): Glyph {
  const known = others[character];
  if (known) return known;
  const code = character.codePointAt(0) as number;
  const width = widths[code - 0x20];
  if (width !== undefined) return { font: 'text', code, width };
  throw new UsageError(
    `a .pdf cannot have '${character}' in its text; use characters of ASCII, or write an .svg or a .png`,
  );
}

const glyphsOf = (text: string): readonly Glyph[] => [...text].map(glyphOf);

const textWidth = (text: string, size: number): number =>
  glyphsOf(text).reduce((sum, { width }) => sum + (width * size) / 1000, 0);

/** The bytes of a PDF file. @throws UsageError for a text with characters that its fonts do not have */
export function pdfOf(sheet: Sheet): Uint8Array {
  const [width, height] = [sheet.width, sheet.height].map((side) => side * pointsPerPixel) as [
    number,
    number,
  ];
  const content = [
    // From here on in pixels from the top left corner.
    `${pointsPerPixel} 0 0 -${pointsPerPixel} 0 ${number(height)} cm`,
    '1.3 w',
    ...sheet.items.flatMap(operators),
  ].join('\n');
  const font = (name: string, encoding: string) =>
    `<< /Type /Font /Subtype /Type1 /BaseFont /${name}${encoding} >>`;
  const winAnsi = ' /Encoding /WinAnsiEncoding';
  return file([
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${number(width)} ${number(height)}] /Contents 4 0 R /Resources << /Font << /text 5 0 R /bold 6 0 R /symbol 7 0 R >> >> >>`,
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    font('Helvetica', winAnsi),
    font('Helvetica-Bold', winAnsi),
    font('Symbol', ''),
    `<< /Title ${utf16(sheet.title)} /Subject ${utf16(sheet.description)} >>`,
  ]);
}

/** Objects numbered from 1: the first is the catalogue, the last the information. */
function file(objects: readonly string[]): Uint8Array {
  let text = '%PDF-1.4\n';
  const offsets: number[] = [];
  objects.forEach((object, index) => {
    offsets.push(text.length);
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const size = objects.length + 1;
  text += `xref\n0 ${size}\n0000000000 65535 f \n${table}trailer\n<< /Size ${size} /Root 1 0 R /Info ${objects.length} 0 R >>\nstartxref\n${text.length}\n%%EOF\n`;
  // Every character is a byte: codes above 0x7f stand in octal.
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

const number = (value: number): string => String(Math.round(value * 100) / 100);
const numbers = (...values: number[]): string => values.map(number).join(' ');

/** A title in any language: UTF-16, as hexadecimal digits. */
const utf16 = (text: string): string =>
  `<feff${[...Array(text.length).keys()].map((at) => text.charCodeAt(at).toString(16).padStart(4, '0')).join('')}>`;

const colour = (hex: string, operator: 'rg' | 'RG'): string =>
  `${numbers(...[1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255))} ${operator}`;

const painted = (look: Look): readonly string[] => [
  colour(light.fill[look], 'rg'),
  colour(light.edge[look], 'RG'),
];

function operators(item: Item): readonly string[] {
  switch (item.kind) {
    case 'box': {
      const { x, y, width, height, lines, look } = item;
      const texts = baselines(item).flatMap((baseline, index) => {
        const line = lines[index] as string;
        return write(line, { x: x + width / 2 - textWidth(line, fontSizes.inside) / 2, y: baseline });
      });
      return [...painted(look), `${numbers(x, y, width, height)} re B`, ...texts];
    }
    case 'circle':
      return [
        ...painted('plain'),
        `${circle(item.x, item.y, item.radius)} B`,
        ...write(item.text, { x: item.x - textWidth(item.text, fontSizes.inside) / 2, y: item.y + 4.5 }),
      ];
    case 'mark': {
      const size = fontSizes.mark;
      const x = item.x - textWidth(item.text, size) / 2;
      return [
        colour(light.mark, 'rg'),
        `${circle(item.x, item.y, markRadius)} f`,
        ...write(item.text, { x, y: item.y + 4, size, fill: '#ffffff', bold: true }),
      ];
    }
    case 'path': {
      const [first, ...rest] = item.points as [Point, ...Point[]];
      const lines = rest.map((point) => `${numbers(...point)} l`);
      return [
        colour(light.line, 'RG'),
        `${numbers(...first)} m ${lines.join(' ')} S`,
        ...(item.arrow ? arrowhead(item.points) : []),
      ];
    }
    case 'text': {
      const isTitle = item.look === 'title';
      const fill = isTitle ? light.ink : light.note;
      return write(item.text, { x: item.x, y: item.y, size: fontSizes[item.look], fill, bold: isTitle });
    }
  }
}

interface TextStyle {
  readonly x: number;
  readonly y: number;
  readonly size?: number;
  readonly fill?: string;
  readonly bold?: boolean;
}

/** One line of text, in as many pieces as fonts alternate in it. */
function write(
  text: string,
  { x, y, size = fontSizes.inside, fill = light.ink, bold = false }: TextStyle,
): readonly string[] {
  const pieces: { font: Glyph['font']; codes: number[] }[] = [];
  for (const { font, code } of glyphsOf(text)) {
    const last = pieces.at(-1);
    if (last?.font === font) last.codes.push(code);
    else pieces.push({ font, codes: [code] });
  }
  const shown = pieces.map(({ font, codes }) => {
    const name = font === 'text' && bold ? 'bold' : font;
    return `/${name} ${size} Tf (${codes.map(escaped).join('')}) Tj`;
  });
  // The page is upside down for its texts.
  return [colour(fill, 'rg'), `BT 1 0 0 -1 ${numbers(x, y)} Tm ${shown.join(' ')} ET`];
}

const escaped = (code: number): string =>
  code > 0x7e || code === 0x28 || code === 0x29 || code === 0x5c
    ? `\\${code.toString(8).padStart(3, '0')}`
    : String.fromCharCode(code);

/** Four Bézier curves; 0.5523 of the radius is how far their handles reach. */
function circle(x: number, y: number, radius: number): string {
  const reach = 0.5523 * radius;
  const curve = (...values: number[]) => `${numbers(...values)} c`;
  return [
    `${numbers(x + radius, y)} m`,
    curve(x + radius, y + reach, x + reach, y + radius, x, y + radius),
    curve(x - reach, y + radius, x - radius, y + reach, x - radius, y),
    curve(x - radius, y - reach, x - reach, y - radius, x, y - radius),
    curve(x + reach, y - radius, x + radius, y - reach, x + radius, y),
  ].join(' ');
}

/** A triangle whose tip is the last point. */
function arrowhead(points: readonly Point[]): readonly string[] {
  const [tipX, tipY] = points.at(-1) as Point;
  const [fromX, fromY] = points.at(-2) as Point;
  const length = Math.hypot(tipX - fromX, tipY - fromY) || 1;
  const [alongX, alongY] = [(tipX - fromX) / length, (tipY - fromY) / length];
  const corner = (side: number): string =>
    numbers(tipX - 7 * alongX - side * 3.5 * alongY, tipY - 7 * alongY + side * 3.5 * alongX);
  return [colour(light.line, 'rg'), `${numbers(tipX, tipY)} m ${corner(1)} l ${corner(-1)} l f`];
}

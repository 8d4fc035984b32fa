/** Line charts as SVG text, as far as training curves need them. Pure. */

export interface Line {
  readonly name: string;
  readonly colour: string;
  /** Draws a dot at every point, for lines with few points. */
  readonly dots: boolean;
  /** [x, y], sorted by x. Non-finite values interrupt the line. */
  readonly points: readonly (readonly [number, number])[];
  /** A filled band behind the line, [x, low, high], sorted by x. */
  readonly band?: readonly (readonly [x: number, low: number, high: number])[];
}

export interface Panel {
  readonly xName: string;
  readonly yName: string;
  readonly xRange: readonly [number, number];
  readonly yRange: readonly [number, number];
  readonly lines: readonly Line[];
  /** Names of lines in a row of the legend, which grows upwards. Default: all of them. */
  readonly keysPerRow?: number;
  /** Pixels from a key to the next one. Default 150. */
  readonly keyStep?: number;
}

export const keyHeight = 20;

/** The position of the axes, in pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Text, axes; `faint` is for the grid. */
export const ink = '#1f2933';
const faint = '#d5dbe1';

export const escapeXml = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** A step of 1, 2 or 5 times a power of ten that divides a range into about `count` parts. */
function niceStep(min: number, max: number, count: number): number {
  const raw = (max - min) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  return ([1, 2, 5].find((factor) => factor * power >= raw * 0.999) ?? 10) * power;
}

/** Rounds off floating-point noise, as in 3 * 0.1. */
const multiple = (index: number, step: number): number => Number((index * step).toPrecision(12));

/** About `count` round numbers in a range. */
export function ticksBetween(min: number, max: number, count: number): number[] {
  const step = niceStep(min, max, count);
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor(max / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => multiple(first + index, step));
}

/** The smallest range of ticks that contains all finite values; 0 to 1 if there are none. */
export function rangeAround(values: readonly number[]): [number, number] {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return [0, 1];
  const [min, max] = [Math.min(...finite), Math.max(...finite)];
  const [low, high] = min === max ? [min - 0.5, max + 0.5] : [min, max];
  const step = niceStep(low, high, 5);
  return [multiple(Math.floor(low / step + 1e-9), step), multiple(Math.ceil(high / step - 1e-9), step)];
}

const round = (pixels: number): number => Math.round(pixels * 100) / 100;

/** Draws a panel: grid, axes with ticks and names, lines, and a legend above. */
export function drawPanel(panel: Panel, box: Box): string {
  const { xName, yName, xRange, yRange, lines, keysPerRow = lines.length, keyStep = 150 } = panel;
  const { left, top, width, height } = box;
  const bottom = top + height;
  const x = (value: number) => round(left + ((value - xRange[0]) / (xRange[1] - xRange[0])) * width);
  const y = (value: number) => round(bottom - ((value - yRange[0]) / (yRange[1] - yRange[0])) * height);
  const right = left + width;
  const vertical = ticksBetween(...yRange, 5).map(
    (tick) => `<path d="M${left} ${y(tick)}H${right}" stroke="${faint}"/>
<text x="${left - 8}" y="${y(tick) + 4.5}" text-anchor="end">${tick.toLocaleString('en')}</text>`,
  );
  const horizontal = ticksBetween(...xRange, 5).map(
    (tick) => `<path d="M${x(tick)} ${bottom}v5" stroke="${ink}"/>
<text x="${x(tick)}" y="${bottom + 19}" text-anchor="middle">${tick.toLocaleString('en')}</text>`,
  );
  const middle = top + height / 2;
  const axes = `<path d="M${left} ${top}V${bottom}H${right}" stroke="${ink}" fill="none"/>
<text x="${left + width / 2}" y="${bottom + 38}" text-anchor="middle">${escapeXml(xName)}</text>
<text transform="translate(${left - 42} ${middle}) rotate(-90)" text-anchor="middle">${escapeXml(yName)}</text>`;
  const keys = lines.map(({ name, colour }, index) => {
    const start = left + (index % keysPerRow) * keyStep;
    const rowsBelow = Math.ceil(lines.length / keysPerRow) - 1 - Math.floor(index / keysPerRow);
    const row = top - 28 - rowsBelow * keyHeight;
    return `<path d="M${start} ${row}h24" stroke="${colour}" stroke-width="2"/>
<text x="${start + 30}" y="${row + 4.5}">${escapeXml(name)}</text>`;
  });
  // Clips lines to the axes, with a margin so that dots at the edge stay whole.
  const view = [left - 5, top - 5, width + 10, height + 10];
  // Bands of all lines lie behind all lines.
  const bands = lines.flatMap(({ band = [], colour }) =>
    band.length > 1 ? [drawBand(band, colour, { x, y })] : [],
  );
  const drawn = [...bands, ...lines.map((line) => drawLine(line, { x, y }))].join('\n');
  return `${[...vertical, ...horizontal, axes, ...keys].join('\n')}
<svg x="${view[0]}" y="${view[1]}" width="${view[2]}" height="${view[3]}" viewBox="${view.join(' ')}">
${drawn}
</svg>`;
}

type Scale = (value: number) => number;

function drawBand(
  band: NonNullable<Line['band']>,
  colour: string,
  { x, y }: { readonly x: Scale; readonly y: Scale },
): string {
  const corners = [
    ...band.map(([time, , high]) => `${x(time)} ${y(high)}`),
    ...[...band].reverse().map(([time, low]) => `${x(time)} ${y(low)}`),
  ];
  return `<path d="M${corners.join('L')}Z" fill="${colour}" fill-opacity="0.15"/>`;
}

function drawLine({ colour, dots, points }: Line, { x, y }: { x: Scale; y: Scale }): string {
  const parts: string[] = [];
  let pen = 'M';
  for (const [time, value] of points) {
    if (Number.isFinite(value)) parts.push(`${pen}${x(time)} ${y(value)}`);
    pen = Number.isFinite(value) ? 'L' : 'M';
  }
  const path = `<path d="${parts.join('')}" fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round"/>`;
  if (!dots) return path;
  const circles = points
    .filter(([, value]) => Number.isFinite(value))
    .map(
      ([time, value]) =>
        `<circle cx="${x(time)}" cy="${y(value)}" r="3" fill="#ffffff" stroke="${colour}" stroke-width="2"/>`,
    );
  return [path, ...circles].join('\n');
}

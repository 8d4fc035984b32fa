/** Figures of reports: arms as lines with bands over seeds, in panels. Pure. */
import {
  type Box,
  drawPanel,
  escapeXml,
  ink,
  keyHeight,
  type Line,
  rangeAround,
} from '../../train/charts/line-chart.ts';

/** Distinguishable with colour blindness; an arm has the same colour in every figure. */
const colours = ['#1769aa', '#c2570c', '#00785a', '#7b3fc4', '#a2191f', '#5b6770'] as const;
export const colourOf = (index: number): string => colours[index % colours.length] as string;

/** One arm: the values of every seed, by x. */
export interface Series {
  readonly name: string;
  readonly seeds: readonly (readonly (readonly [x: number, y: number])[])[];
}

export interface PanelOf {
  readonly title: string;
  readonly series: readonly Series[];
}

export interface Axes {
  readonly title: string;
  readonly xName: string;
  readonly yName: string;
  /** Default: around the values. */
  readonly yRange?: readonly [number, number];
  /** Draws a dot at every point. */
  readonly dots: boolean;
}

/** The mean over seeds at each x where all of them have a value, and their range as the band. */
export function lineOf({ name, seeds }: Series, { colour, dots }: { colour: string; dots: boolean }): Line {
  const byX = new Map<number, number[]>();
  for (const points of seeds) for (const [x, y] of points) byX.set(x, [...(byX.get(x) ?? []), y]);
  // Where a run has ended early, the rest would be another mean.
  const whole = [...byX].filter(([, values]) => values.length === seeds.length).sort(([a], [b]) => a - b);
  return {
    name,
    colour,
    dots,
    points: whole.map(([x, values]) => [x, values.reduce((sum, value) => sum + value, 0) / values.length]),
    ...(seeds.length > 1 && {
      band: whole.map(([x, values]) => [x, Math.min(...values), Math.max(...values)] as const),
    }),
  };
}

const [width, plotHeight] = [900, 260];
/** Names of arms are longer than those of curves. */
const keys = { keysPerRow: 4, keyStep: 190 };

export function drawFigure(panels: readonly PanelOf[], { title, xName, yName, yRange, dots }: Axes): string {
  let top = 40;
  const drawn = panels.map((panel) => {
    const lines = panel.series.map((series, index) => lineOf(series, { colour: colourOf(index), dots }));
    const values = lines.flatMap(({ points, band = [] }) => [
      ...points.map(([, y]) => y),
      ...band.flatMap(([, low, high]) => [low, high]),
    ]);
    const xs = lines.flatMap(({ points }) => points.map(([x]) => x));
    const rows = Math.ceil(lines.length / keys.keysPerRow);
    const box: Box = { left: 80, top: top + 34 + rows * keyHeight, width: width - 110, height: plotHeight };
    const text = `<text x="20" y="${top + 14}" font-size="14" font-weight="bold">${escapeXml(panel.title)}</text>`;
    top = box.top + plotHeight + 56;
    const range = { xName, xRange: [0, Math.max(...xs, 0.01)] as const, yName };
    return `${text}\n${drawPanel({ ...range, yRange: yRange ?? rangeAround(values), lines, ...keys }, box)}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top}" viewBox="0 0 ${width} ${top}" font-family="system-ui, sans-serif" font-size="13" fill="${ink}">
<title>${escapeXml(title)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="20" y="26" font-size="16" font-weight="bold">${escapeXml(title)}</text>
${drawn.join('\n')}
</svg>
`;
}

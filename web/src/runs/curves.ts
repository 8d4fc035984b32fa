/** The points of the charts on the page Runs, and their ECharts options. */
import type { CustomSeriesOption, LineSeriesOption } from 'echarts/charts';
import type { Metrics } from '../../../src/train/run/records.ts';
import { type ChartSpec, type Curve, remarksOf } from './chart-specs.ts';
import { meanOf } from './list.ts';

/** That of `theme.ts`, which needs a browser; this file does not. */
type Theme = 'light' | 'dark';

export const axes = {
  epoch: { title: 'Epochs', value: ({ epoch }: Metrics) => epoch },
  step: { title: 'Steps', value: ({ step }: Metrics) => step },
  time: { title: 'Minutes of training', value: ({ elapsedSeconds }: Metrics) => elapsedSeconds / 60 },
} as const;
export type Axis = keyof typeof axes;

/** Distinguishable by colour-blind readers (Okabe and Ito) and legible on each background. */
export const runColours: Readonly<Record<Theme, readonly string[]>> = {
  light: ['#0b65a8', '#c2500a', '#00785a', '#a3478a', '#8a6d00', '#3a4a5a'],
  dark: ['#6cb6f0', '#f0924e', '#3cc79c', '#e08fc8', '#e0c04a', '#c3ced8'],
};

export interface RunCurves {
  readonly id: string;
  readonly colour: string;
  /** More runs than colours differ by their lines. */
  readonly dash: 'solid' | 'dashed' | 'dotted';
  /** One run, or the runs of a group, of which mean and band are drawn. */
  readonly runs: readonly (readonly Metrics[])[];
}

const dashes = ['solid', 'dashed', 'dotted'] as const;

/** The look of the curves with this number. */
export function lookOf(index: number, theme: Theme): Pick<RunCurves, 'colour' | 'dash'> {
  const colours = runColours[theme];
  return {
    colour: colours[index % colours.length] as string,
    dash: dashes[Math.floor(index / colours.length) % dashes.length] as RunCurves['dash'],
  };
}

const inks = {
  light: { ink: '#1a2129', faint: '#e1e6eb', sheet: '#ffffff', warn: '#a3341f' },
  dark: { ink: '#e7ecf1', faint: '#2c353e', sheet: '#181d23', warn: '#ff9d8a' },
} as const;

export interface ChartView {
  readonly axis: Axis;
  /** Which axes are logarithmic. */
  readonly logarithmic: { readonly x: boolean; readonly y: boolean };
  /** Weight of what came before in the average of the training curves, 0 for none. */
  readonly smoothing: number;
  /** Part of the x axis that is shown. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  /** The y axis holds every value. */
  readonly all: boolean;
}

export interface Point {
  readonly x: number;
  readonly y: number;
  readonly step: number;
  /** Sample standard deviation over the runs of a group. */
  readonly deviation?: number | undefined;
}

export interface Series {
  /** `first, validation` */
  readonly name: string;
  readonly curve: Curve;
  readonly of: RunCurves;
  readonly points: readonly Point[];
}

/** The points of every curve in the shown part of the x axis; values that are no finite number have none. */
export function seriesOf(
  spec: ChartSpec,
  { runs, view }: { readonly runs: readonly RunCurves[]; readonly view: ChartView },
): readonly Series[] {
  const { axis, smoothing, from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = view;
  return runs.flatMap((of) =>
    spec.curves.map((curve) => {
      const each = of.runs.map((metrics) => {
        const points = pointsOf(curve, metrics, axis);
        return curve.kind === 'train' ? smooth(points, smoothing) : points;
      });
      const points = each.length === 1 ? (each[0] as readonly Point[]) : meanPoints(each);
      const name = spec.curves.length > 1 ? `${of.id}, ${curve.name}` : of.id;
      return { name, curve, of, points: points.filter(({ x }) => x >= from && x <= to) };
    }),
  );
}

function pointsOf(curve: Curve, metrics: readonly Metrics[], axis: Axis): readonly Point[] {
  return metrics.flatMap((line) => {
    if (line.kind !== curve.kind) return [];
    const point = {
      x: axes[axis].value(line),
      y: (curve.value as (entry: Metrics) => number)(line),
      step: line.step,
    };
    return Number.isFinite(point.x) && Number.isFinite(point.y) ? [point] : [];
  });
}

/** Where the curves have points, in order. */
export const placesOf = (series: readonly Series[]): readonly number[] =>
  [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);

/** Of sorted places. */
export function nearestIndex(places: readonly number[], x: number): number {
  const after = places.findIndex((place) => place >= x);
  if (after === -1) return places.length - 1;
  const [below = Number.NEGATIVE_INFINITY, above = x] = [places[after - 1], places[after]];
  return x - below < above - x ? after - 1 : after;
}

/** An exponential moving average, divided by the sum of its weights so that it begins at the first value. */
export function smooth(points: readonly Point[], weight: number): readonly Point[] {
  let [sum, weights] = [0, 0];
  return points.map((point) => {
    sum = weight * sum + (1 - weight) * point.y;
    weights = weight * weights + (1 - weight);
    return { ...point, y: sum / weights };
  });
}

/** Mean and standard deviation at the steps that all runs with such values have. */
export function meanPoints(each: readonly (readonly Point[])[]): readonly Point[] {
  const [first, ...others] = each.filter((points) => points.length > 0);
  if (!first) return [];
  const bySteps = others.map((points) => new Map(points.map((point) => [point.step, point])));
  return first.flatMap((point) => {
    const points = [point, ...bySteps.flatMap((steps) => steps.get(point.step) ?? [])];
    if (points.length < others.length + 1) return [];
    const { mean, deviation } = meanOf(points.map(({ y }) => y));
    return [{ x: meanOf(points.map(({ x }) => x)).mean, y: mean, step: point.step, deviation }];
  });
}

/**
 * Upper limit of the axis. Averaged weights are at first worse than guessing, and the first steps are noisy; neither may squash
 * the rest into a flat line. If values far exceed those of training after its first steps, the axis ends before them, and
 * {@link outsideOf} says so. What a run ended with, and the score of its test, always lie on it.
 */
function axisMaximum(series: readonly Series[], spec: ChartSpec): number | undefined {
  if (spec.curves.length === 1) return undefined;
  let [usual, ends, maximum] = [0, 0, 0];
  for (const { curve, points } of series) {
    for (const [index, { y }] of points.entries()) {
      maximum = Math.max(maximum, y);
      if (curve.kind === 'train' && index >= 2) usual = Math.max(usual, y * 1.2);
      if (curve.kind !== 'train' && index === points.length - 1) ends = Math.max(ends, y * 1.05);
    }
  }
  const limit = Math.max(usual, ends);
  return usual > 0 && maximum > 2 * limit ? Number(limit.toPrecision(2)) : undefined;
}

const isLogarithmic = (spec: ChartSpec, view: ChartView) => spec.logarithmic || view.logarithmic.y;
const maximumOf = (series: readonly Series[], spec: ChartSpec, view: ChartView) =>
  view.all || isLogarithmic(spec, view) ? undefined : axisMaximum(series, spec);

const rounded = (value: number): string => String(Number(value.toPrecision(4)));

/** What the axes do not show, in words; undefined if they show everything. */
export function outsideOf(
  spec: ChartSpec,
  { series, view }: { readonly series: readonly Series[]; readonly view: ChartView },
): string | undefined {
  const sentences: string[] = [];
  const maximum = maximumOf(series, spec, view);
  const above =
    maximum === undefined
      ? []
      : series.flatMap(({ name, points }) => {
          const values = points.map(({ y }) => y).filter((y) => y > maximum);
          if (values.length === 0) return [];
          const largest = values.reduce((a, b) => Math.max(a, b));
          return [
            `${name}: ${values.length === 1 ? '' : `${values.length} values, up to `}${rounded(largest)}`,
          ];
        });
  if (above.length > 0) sentences.push(`Above the axis, which ends at ${maximum}: ${above.join('; ')}.`);
  const all = series.flatMap(({ points }) => points);
  const below = isLogarithmic(spec, view) ? all.filter(({ y }) => y <= 0).length : 0;
  if (below > 0) sentences.push(`A logarithmic axis has no place for ${below} values of 0 or less.`);
  const left = view.logarithmic.x ? all.filter(({ x }) => x <= 0).length : 0;
  if (left > 0) sentences.push(`The logarithmic x axis has no place for ${left} values at 0.`);
  return sentences.join(' ') || undefined;
}

/** All points, for a spreadsheet. */
export function csvOf(series: readonly Series[], axis: Axis): string {
  const quoted = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = series.flatMap(({ of, curve, points }) =>
    points.map(({ x, y, step, deviation }) =>
      [quoted(of.id), curve.name, step, x, y, deviation ?? ''].join(','),
    ),
  );
  return `${['run,curve,step', axis === 'step' ? 'x' : axis, 'value', 'standard deviation'].join(',')}\n${rows.map((row) => `${row}\n`).join('')}`;
}

export function colourOf({ curve: { shade }, of }: Pick<Series, 'curve' | 'of'>, theme: Theme): string {
  const colours = runColours[theme];
  return shade ? (colours[shade.colour % colours.length] as string) : of.colour;
}

export function chartOption(
  spec: ChartSpec,
  {
    series,
    view,
    theme,
    picked,
  }: {
    readonly series: readonly Series[];
    readonly view: ChartView;
    readonly theme: Theme;
    /** Where a line marks the values that are told. */
    readonly picked?: number | undefined;
  },
) {
  const { axis, from, to } = view;
  const { ink, faint, sheet, warn } = inks[theme];
  const marked = [...new Set(series.map(({ of }) => of))].flatMap(({ runs }) =>
    runs.flatMap((metrics) => remarksOf(metrics).map(({ line: each }) => axes[axis].value(each))),
  );
  const label = { color: ink, fontSize: 12 };
  const line = { axisLine: { lineStyle: { color: ink } }, axisLabel: label, nameTextStyle: label };
  const logarithmic = isLogarithmic(spec, view);
  const shown = ({ x, y }: Point) => (!logarithmic || y > 0) && (!view.logarithmic.x || x > 0);
  return {
    animation: false,
    textStyle: { fontFamily: 'inherit' },
    grid: { left: 52, right: 16, top: 14, bottom: 44 },
    tooltip: {
      trigger: 'axis' as const,
      confine: true,
      backgroundColor: sheet,
      borderColor: faint,
      textStyle: { color: ink, fontSize: 12 },
      valueFormatter: (value: unknown) => rounded(Number(value)),
    },
    xAxis: {
      ...line,
      type: view.logarithmic.x ? ('log' as const) : ('value' as const),
      name: axes[axis].title,
      nameLocation: 'middle' as const,
      nameGap: 26,
      min: from ?? (view.logarithmic.x ? undefined : 0),
      max: to,
      splitLine: { show: false },
    },
    yAxis: {
      ...line,
      type: logarithmic ? ('log' as const) : ('value' as const),
      min: logarithmic ? undefined : 0,
      max: maximumOf(series, spec, view),
      splitLine: { lineStyle: { color: faint } },
    },
    series: [
      ...marksOf(marked, { colour: warn, dash: [4, 3] }),
      ...marksOf(picked === undefined ? [] : [picked], { colour: ink, dash: [] }),
      ...series.flatMap(({ name, curve, of, points }): (LineSeriesOption | CustomSeriesOption)[] => {
        const { kind, shade } = curve;
        return [
          ...(shade ? [] : bandOf(points.filter(shown), of.colour)),
          {
            type: 'line',
            name,
            color: colourOf({ curve, of }, theme),
            showSymbol: kind !== 'train',
            symbol: kind === 'test' ? 'diamond' : 'circle',
            symbolSize: kind === 'test' ? 13 : shade ? 3 : 7,
            lineStyle: {
              width: kind === 'evaluation' && !shade ? 2.5 : 1.3,
              type: of.dash,
              opacity: shade?.opacity ?? (spec.curves.length > 1 && kind === 'train' ? 0.65 : 1),
            },
            data: points.filter(shown).map(({ x, y }) => [x, y]),
          },
        ];
      }),
    ],
  };
}

/** A line at each place, over the whole height. */
function marksOf(
  xs: readonly number[],
  { colour, dash }: { readonly colour: string; readonly dash: number[] },
): readonly CustomSeriesOption[] {
  if (xs.length === 0) return [];
  return [
    {
      type: 'custom',
      silent: true,
      tooltip: { show: false },
      clip: true,
      // Of the y axis it needs nothing; 1 lies on a logarithmic one as well.
      data: xs.map((x) => [x, 1]),
      encode: { x: 0, y: -1 },
      renderItem: ({ coordSys }, api) => {
        const { y, height } = coordSys as unknown as { y: number; height: number };
        const [x = 0] = api.coord([api.value(0), 1]);
        return {
          type: 'line',
          shape: { x1: x, x2: x, y1: y, y2: y + height },
          style: { stroke: colour, lineWidth: 1.5, lineDash: dash },
        };
      },
    },
  ];
}

/** Mean ± standard deviation as an area; its lower edge stays above 0, where a logarithmic axis has an end. */
function bandOf(points: readonly Point[], colour: string): readonly CustomSeriesOption[] {
  const spread = points.filter(({ deviation }) => deviation !== undefined);
  if (spread.length < 2 || spread.every(({ deviation }) => deviation === 0)) return [];
  const edge = (sign: number) =>
    spread.map(({ x, y, deviation = 0 }) => [x, Math.max(y + sign * deviation, y / 100)]);
  const outline = [...edge(1), ...edge(-1).reverse()];
  return [
    {
      type: 'custom',
      silent: true,
      tooltip: { show: false },
      clip: true,
      // One item, which is the whole area.
      data: [[spread[0]?.x, spread[0]?.y]],
      renderItem: (_, api) => ({
        type: 'polygon',
        shape: { points: outline.map((point) => api.coord(point)) },
        style: { fill: colour, opacity: 0.18 },
      }),
    },
  ];
}

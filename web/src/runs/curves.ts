/** The charts of the Runs page as data, and their ECharts options. */
import type { LineSeriesOption } from 'echarts/charts';
import type { Metrics, StepMetrics } from '../../../src/train/run/records.ts';
import type { Theme } from '../theme.ts';

export interface Curve {
  readonly name: string;
  readonly kind: Metrics['kind'];
  readonly value: (line: never) => number;
}

export interface ChartSpec {
  readonly title: string;
  readonly unit: string;
  readonly logarithmic?: boolean;
  /** All curves of a run share its colour; that of the evaluations is thick, with dots, and the test is one diamond. */
  readonly curves: readonly Curve[];
}

const stepCurve = (name: string, value: (line: StepMetrics) => number): Curve => ({
  name,
  kind: 'train',
  value,
});

const errorPercent = ({ top1Error }: { top1Error: number }) => top1Error * 100;

export const charts: readonly ChartSpec[] = [
  {
    title: 'Loss',
    unit: 'nats',
    curves: [
      stepCurve('training', ({ loss }) => loss),
      {
        name: 'validation',
        kind: 'evaluation',
        value: ({ validationLoss }: { validationLoss: number }) => validationLoss,
      },
      { name: 'test', kind: 'test', value: ({ testLoss }: { testLoss: number }) => testLoss },
    ],
  },
  {
    title: 'Error',
    unit: '%',
    curves: [
      stepCurve('training', ({ trainError }) => trainError * 100),
      { name: 'validation', kind: 'evaluation', value: errorPercent },
      { name: 'test', kind: 'test', value: errorPercent },
    ],
  },
  {
    title: 'Learning rate',
    unit: '',
    curves: [stepCurve('learning rate', ({ learningRate }) => learningRate)],
  },
  {
    title: 'Throughput',
    unit: 'images/s',
    curves: [stepCurve('throughput', ({ imagesPerSecond }) => imagesPerSecond)],
  },
  {
    title: 'Waiting for data',
    unit: '% of the time',
    curves: [stepCurve('waiting', ({ waitShare }) => waitShare * 100)],
  },
  {
    title: 'Gradient norm',
    unit: '',
    logarithmic: true,
    curves: [stepCurve('norm', ({ gradientNorm }) => gradientNorm)],
  },
];

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
  readonly metrics: readonly Metrics[];
}

const inks = {
  light: { ink: '#1a2129', faint: '#e1e6eb', sheet: '#ffffff' },
  dark: { ink: '#e7ecf1', faint: '#2c353e', sheet: '#181d23' },
} as const;

/**
 * Upper limit of the axis. Averaged weights are at first worse than guessing, and the first steps are noisy; neither may squash
 * the rest into a flat line. If values far exceed those of training after its first steps, the axis is cut off there.
 */
function axisMaximum(spec: ChartSpec, runs: readonly RunCurves[]): number | undefined {
  const [training, ...evaluated] = spec.curves as [Curve, ...Curve[]];
  if (evaluated.length === 0) return undefined;
  const values = (curve: Curve, start: number) =>
    runs.flatMap(({ metrics }) =>
      metrics
        .filter(({ kind }) => kind === curve.kind)
        .slice(start)
        .map((line) => (curve.value as (entry: Metrics) => number)(line)),
    );
  const usual = Math.max(...values(training, 2), 0) * 1.2;
  const maximum = Math.max(...evaluated.flatMap((curve) => values(curve, 0)), usual);
  return usual > 0 && maximum > 2 * usual ? Number(usual.toPrecision(2)) : undefined;
}

export function chartOption(
  spec: ChartSpec,
  { runs, axis, theme }: { runs: readonly RunCurves[]; axis: Axis; theme: Theme },
) {
  const { ink, faint, sheet } = inks[theme];
  const label = { color: ink, fontSize: 12 };
  const line = { axisLine: { lineStyle: { color: ink } }, axisLabel: label, nameTextStyle: label };
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
      valueFormatter: (value: unknown) => String(Number(Number(value).toPrecision(4))),
    },
    xAxis: {
      ...line,
      type: 'value' as const,
      name: axes[axis].title,
      nameLocation: 'middle' as const,
      nameGap: 26,
      min: 0,
      splitLine: { show: false },
    },
    yAxis: {
      ...line,
      type: spec.logarithmic ? ('log' as const) : ('value' as const),
      min: spec.logarithmic ? undefined : 0,
      max: axisMaximum(spec, runs),
      splitLine: { lineStyle: { color: faint } },
    },
    series: runs.flatMap(({ id, colour, metrics }) =>
      spec.curves.map(
        ({ name, kind, value }): LineSeriesOption => ({
          type: 'line',
          name: spec.curves.length > 1 ? `${id}, ${name}` : id,
          color: colour,
          showSymbol: kind !== 'train',
          symbol: kind === 'test' ? 'diamond' : 'circle',
          symbolSize: kind === 'test' ? 13 : 7,
          lineStyle: {
            width: kind === 'evaluation' ? 2.5 : 1.3,
            opacity: spec.curves.length > 1 && kind === 'train' ? 0.65 : 1,
          },
          data: metrics
            .filter((entry) => entry.kind === kind)
            .map((entry) => [axes[axis].value(entry), (value as (entry: Metrics) => number)(entry)]),
        }),
      ),
    ),
  };
}

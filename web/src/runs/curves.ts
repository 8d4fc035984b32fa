/** The charts of the runs page as data: which numbers stand in which chart, and echarts' options for them. */
import type { LineSeriesOption } from 'echarts/charts';
import type { Metrics, StepMetrics } from '../../../src/train/records.ts';
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
  /** Runs share a colour; the second curve is the thick one with dots. */
  readonly curves: readonly Curve[];
}

const ofSteps = (name: string, value: (line: StepMetrics) => number): Curve => ({
  name,
  kind: 'train',
  value,
});

export const charts: readonly ChartSpec[] = [
  {
    title: 'Loss',
    unit: 'nats',
    curves: [
      ofSteps('training', ({ loss }) => loss),
      { name: 'test', kind: 'evaluation', value: ({ testLoss }: { testLoss: number }) => testLoss },
    ],
  },
  {
    title: 'Error',
    unit: '%',
    curves: [
      ofSteps('training', ({ trainError }) => trainError * 100),
      {
        name: 'test',
        kind: 'evaluation',
        value: ({ top1Error }: { top1Error: number }) => top1Error * 100,
      },
    ],
  },
  {
    title: 'Learning rate',
    unit: '',
    curves: [ofSteps('learning rate', ({ learningRate }) => learningRate)],
  },
  {
    title: 'Throughput',
    unit: 'images/s',
    curves: [ofSteps('throughput', ({ imagesPerSecond }) => imagesPerSecond)],
  },
  {
    title: 'Waiting for data',
    unit: '% of the time',
    curves: [ofSteps('waiting', ({ waitShare }) => waitShare * 100)],
  },
  {
    title: 'Norm of the gradient',
    unit: '',
    logarithmic: true,
    curves: [ofSteps('norm', ({ gradientNorm }) => gradientNorm)],
  },
];

export const axes = {
  epoch: { title: 'Epochs', value: ({ epoch }: Metrics) => epoch },
  step: { title: 'Steps', value: ({ step }: Metrics) => step },
  time: { title: 'Minutes of training', value: ({ elapsedSeconds }: Metrics) => elapsedSeconds / 60 },
} as const;
export type Axis = keyof typeof axes;

/** Told apart by colour-blind readers too (Okabe and Ito), each readable on its paper. */
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
 * Averaged weights are worse than a guess at first, and the first steps are wild: neither may press all that matters into
 * a flat line at the bottom. Where something is much higher than training was after its first steps, the axis ends there.
 */
function highest(spec: ChartSpec, runs: readonly RunCurves[]): number | undefined {
  const [training, test] = spec.curves as [Curve, Curve | undefined];
  if (!test) return undefined;
  const values = (curve: Curve, from: number) =>
    runs.flatMap(({ metrics }) =>
      metrics
        .filter(({ kind }) => kind === curve.kind)
        .slice(from)
        .map((line) => (curve.value as (each: Metrics) => number)(line)),
    );
  const usual = Math.max(...values(training, 2), 0) * 1.2;
  const most = Math.max(...values(test, 0), usual);
  return usual > 0 && most > 2 * usual ? Number(usual.toPrecision(2)) : undefined;
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
      max: highest(spec, runs),
      splitLine: { lineStyle: { color: faint } },
    },
    series: runs.flatMap(({ id, colour, metrics }) =>
      spec.curves.map(
        ({ name, kind, value }): LineSeriesOption => ({
          type: 'line',
          name: spec.curves.length > 1 ? `${id}, ${name}` : id,
          color: colour,
          showSymbol: kind === 'evaluation',
          symbol: 'circle',
          symbolSize: 7,
          lineStyle: {
            width: kind === 'evaluation' ? 2.5 : 1.3,
            opacity: spec.curves.length > 1 && kind === 'train' ? 0.65 : 1,
          },
          data: metrics
            .filter((each) => each.kind === kind)
            .map((each) => [axes[axis].value(each), (value as (each: Metrics) => number)(each)]),
        }),
      ),
    ),
  };
}

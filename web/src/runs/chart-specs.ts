/** What the charts of the page Runs show: curves as functions of the lines of metrics.jsonl. Pure. */
import type { BlockState, EvaluationMetrics, Metrics, StepMetrics } from '../../../src/train/run/records.ts';

export interface Curve {
  readonly name: string;
  readonly kind: Metrics['kind'];
  readonly value: (line: never) => number;
  /** Where one run has many curves: its place among the run's colours, and how strong it is drawn, 0–1. */
  readonly shade?: { readonly colour: number; readonly opacity: number };
}

export interface ChartSpec {
  readonly title: string;
  readonly unit: string;
  readonly logarithmic?: boolean;
  /** What the colours of shaded curves mean: their places among the runs' colours. */
  readonly legend?: readonly { readonly name: string; readonly colour: number }[];
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

/** Of `inceptionResnetA/0`, the stage. */
const stageOf = (block: string): string => block.replace(/\/[^/]*$/, '');

/** What is measured of each residual block. */
const blockValues: readonly {
  readonly title: string;
  readonly unit: string;
  readonly value: (state: BlockState) => number | null;
}[] = [
  { title: 'Residual / shortcut by block', unit: '', value: ({ residualRatio }) => residualRatio },
  { title: 'Zeros after each block', unit: '%', value: ({ zeroShare }) => zeroShare * 100 },
];

/**
 * How large each residual is beside what it is added to, and how much of what leaves the block is zero, a curve for each block: a
 * colour for each stage, the deeper, the stronger. None for networks without residual blocks, and for runs of versions that did not
 * watch them.
 */
export function blockCharts(metrics: readonly Metrics[]): readonly ChartSpec[] {
  const names = new Set(
    metrics.flatMap((line) =>
      line.kind === 'evaluation' ? (line.blocks ?? []).map(({ block }) => block) : [],
    ),
  );
  if (names.size === 0) return [];
  const blocks = [...names];
  const stages = [...new Set(blocks.map(stageOf))];
  return blockValues.map(({ title, unit, value }) => ({
    ...{ title, unit },
    legend: stages.map((stage, colour) => ({
      name:
        blocks.filter((block) => stageOf(block) === stage).length > 1
          ? `${stage}, the deeper, the stronger`
          : stage,
      colour,
    })),
    curves: blocks.map((block) => {
      const siblings = blocks.filter((other) => stageOf(other) === stageOf(block));
      const depth = siblings.length === 1 ? 1 : siblings.indexOf(block) / (siblings.length - 1);
      return {
        name: block,
        kind: 'evaluation',
        value: (line: EvaluationMetrics) => {
          const state = line.blocks?.find((each) => each.block === block);
          return (state && value(state)) ?? Number.NaN;
        },
        shade: { colour: stages.indexOf(stageOf(block)), opacity: 0.4 + 0.6 * depth },
      };
    }),
  }));
}

/** Warnings of a training, as they were given. */
export const remarksOf = (metrics: readonly Metrics[]) =>
  metrics.flatMap((line) =>
    line.kind !== 'test' && line.remark !== undefined
      ? [{ step: line.step, epoch: line.epoch, text: line.remark, line }]
      : [],
  );

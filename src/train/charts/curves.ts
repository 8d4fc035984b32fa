/** `curves.svg`: loss and error of a run over its epochs. */
import { runFiles } from '../../model/run-layout.ts';
import { replaceText } from '../../replace-file.ts';
import type { EvaluationMetrics, Metrics, RunFolder, StepMetrics, TestMetrics } from '../run/run-folder.ts';
import { type Box, drawPanel, escapeXml, ink, type Line, type Panel, rangeAround } from './line-chart.ts';

/** Draws the curves from the run's metrics into its folder. */
export async function writeCurves(folder: RunFolder): Promise<void> {
  await replaceText(folder.file(runFiles.curves), drawCurves(await folder.metrics(), folder.path));
}

const blue = '#1769aa';
const orange = '#c2570c';
const green = '#00785a';
const grey = '#7b8794';

const size = { width: 960, height: 420 };
const lossBox: Box = { left: 70, top: 84, width: 380, height: 276 };
const errorBox: Box = { left: 560, top: 84, width: 370, height: 276 };

const hasPoints = ({ points }: Line): boolean => points.length > 0;

/** The curves as SVG text, with a white background to be readable on dark pages too. */
export function drawCurves(metrics: readonly Metrics[], title: string): string {
  const steps = metrics.filter((line): line is StepMetrics => line.kind === 'train');
  const evaluations = metrics.filter((line): line is EvaluationMetrics => line.kind === 'evaluation');
  const tests = metrics.filter((line): line is TestMetrics => line.kind === 'test').slice(-1);
  const xRange = [0, Math.max(...metrics.map(({ epoch }) => epoch), 0.01)] as const;
  const trained = { colour: grey, dots: false };
  const losses: Line[] = [
    { name: 'training loss', ...trained, points: steps.map(({ epoch, loss }) => [epoch, loss]) },
    {
      name: 'validation loss',
      colour: blue,
      dots: true,
      points: evaluations.map(({ epoch, validationLoss }) => [epoch, validationLoss]),
    },
    {
      name: 'test loss',
      colour: green,
      dots: true,
      points: tests.map(({ epoch, testLoss }) => [epoch, testLoss]),
    },
  ];
  const errors: Line[] = [
    {
      name: 'training error',
      ...trained,
      points: steps.map(({ epoch, trainError }) => [epoch, trainError * 100]),
    },
    {
      name: 'validation error',
      colour: orange,
      dots: true,
      points: evaluations.map(({ epoch, top1Error }) => [epoch, top1Error * 100]),
    },
    {
      name: 'test error',
      colour: green,
      dots: true,
      points: tests.map(({ epoch, top1Error }) => [epoch, top1Error * 100]),
    },
  ];
  // The first steps are guesses: scaled to them, the rest would be a flat line at the bottom.
  const worst = Math.max(...steps.slice(2).map(({ trainError }) => trainError), 0.1);
  const maxError = Math.min(100, Math.ceil((worst * 100) / 10) * 10);
  const panel = { xName: 'epoch', xRange };
  const loss: Panel = {
    ...panel,
    yName: 'cross-entropy (nats)',
    yRange: rangeAround(losses.flatMap(({ points }) => points.map(([, value]) => value))),
    lines: losses.filter(hasPoints),
  };
  const error: Panel = {
    ...panel,
    yName: 'error (%)',
    yRange: [0, maxError],
    lines: errors.filter(hasPoints),
  };
  const last = tests.at(-1) ?? evaluations.at(-1);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" font-family="system-ui, sans-serif" font-size="13" fill="${ink}">
<title>Loss and error of ${escapeXml(title)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="20" y="28" font-size="16" font-weight="bold">${escapeXml(title)}</text>
${last ? `<text x="936" y="28" text-anchor="end" font-size="14" fill="${last.kind === 'test' ? green : orange}">${last.kind === 'test' ? 'test' : 'validation'} error ${(last.top1Error * 100).toFixed(2)}% after ${+last.epoch.toFixed(2)} epochs</text>` : ''}
${drawPanel(loss, lossBox)}
${drawPanel(error, errorBox)}
</svg>
`;
}

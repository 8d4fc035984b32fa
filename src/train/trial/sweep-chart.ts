/** `learning-rate.svg`: the loss of a sweep over its learning rates, with the suggestion. Pure. */
import { drawPanel, escapeXml, ink, type Panel, rangeAround } from '../charts/line-chart.ts';
import type { LearningRateSweep } from './sweep.ts';

const [blue, orange, grey] = ['#1769aa', '#c2570c', '#7b8794'];
const size = { width: 720, height: 420 };
const box = { left: 70, top: 84, width: 620, height: 276 };

/** The chart as SVG text, on powers of ten. */
export function drawSweep({
  network,
  data,
  suggestion,
  learningRates,
  losses,
  smoothedLosses,
}: Pick<
  LearningRateSweep,
  'network' | 'data' | 'suggestion' | 'learningRates' | 'losses' | 'smoothedLosses'
>): string {
  const points = (values: readonly number[]) =>
    values.map((value, index) => [Math.log10(learningRates[index] as number), value] as const);
  // The end, where it diverges, would press the valley flat.
  const yRange = rangeAround(smoothedLosses.filter((loss) => loss <= 1.5 * (smoothedLosses[0] ?? 0)));
  const at = Math.log10(suggestion);
  const panel: Panel = {
    xName: 'learning rate (power of ten)',
    yName: 'cross-entropy (nats)',
    xRange: [Math.floor(Math.log10(learningRates[0] ?? 1)), Math.ceil(Math.log10(learningRates.at(-1) ?? 1))],
    yRange,
    lines: [
      { name: 'loss of a batch', colour: grey, dots: false, points: points(losses) },
      { name: 'moving average', colour: blue, dots: false, points: points(smoothedLosses) },
      { name: `suggestion ${suggestion}`, colour: orange, dots: false, points: yRange.map((y) => [at, y]) },
    ],
  };
  const title = `${network} on ${data}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" font-family="system-ui, sans-serif" font-size="13" fill="${ink}">
<title>Learning rates for ${escapeXml(title)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="20" y="28" font-size="16" font-weight="bold">${escapeXml(title)}</text>
${drawPanel(panel, box)}
</svg>
`;
}

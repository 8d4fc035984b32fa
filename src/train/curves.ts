/** `curves.svg`: loss and error of a run over its epochs, drawn by echarts. */
import { writeFile } from 'node:fs/promises';
import type { EvaluationMetrics, Metrics, RunFolder, StepMetrics } from './run-folder.ts';

/** Draws the curves from the run's metrics into its folder. */
export async function writeCurves(folder: RunFolder): Promise<void> {
  await writeFile(folder.file('curves.svg'), await drawCurves(await folder.metrics(), folder.path));
}

/** Readable on a white and on a dark page: the image brings its own background. */
const ink = '#1f2933';
const faint = '#d5dbe1';
const blue = '#1769aa';
const orange = '#c2570c';
const grey = '#7b8794';

/** The curves as SVG text. */
export async function drawCurves(metrics: readonly Metrics[], title: string): Promise<string> {
  const { init } = await import('echarts');
  const steps = metrics.filter((line): line is StepMetrics => line.kind === 'train');
  const evaluations = metrics.filter((line): line is EvaluationMetrics => line.kind === 'evaluation');
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 960, height: 420 });
  const axis = { axisLine: { lineStyle: { color: ink } }, axisLabel: { color: ink, fontSize: 13 } };
  const name = { nameTextStyle: { color: ink, fontSize: 13 }, nameLocation: 'middle' as const };
  const panel = (index: number) => ({ xAxisIndex: index, yAxisIndex: index });
  const line = { type: 'line' as const, showSymbol: false, animation: false };
  const last = evaluations.at(-1);
  chart.setOption({
    backgroundColor: '#ffffff',
    animation: false,
    textStyle: { fontFamily: 'system-ui, sans-serif' },
    title: [
      { text: title, left: 20, top: 12, textStyle: { color: ink, fontSize: 16 } },
      ...(last
        ? [
            {
              text: `test error ${(last.top1Error * 100).toFixed(2)}% after ${+last.epoch.toFixed(2)} epochs`,
              right: 24,
              top: 14,
              textStyle: { color: orange, fontSize: 14, fontWeight: 'normal' as const },
            },
          ]
        : []),
    ],
    legend: [
      { data: ['training loss', 'test loss'], left: 70, top: 46, itemGap: 36, textStyle: { color: ink } },
      { data: ['training error', 'test error'], left: 560, top: 46, itemGap: 36, textStyle: { color: ink } },
    ],
    grid: [
      { left: 70, width: 380, top: 84, bottom: 60 },
      { left: 560, width: 370, top: 84, bottom: 60 },
    ],
    xAxis: [0, 1].map((gridIndex) => ({
      ...axis,
      ...name,
      gridIndex,
      type: 'value' as const,
      name: 'epoch',
      nameGap: 30,
      min: 0,
      max: Math.max(...metrics.map(({ epoch }) => epoch), 0.01),
      splitLine: { show: false },
    })),
    yAxis: [
      {
        ...axis,
        ...name,
        name: 'cross-entropy (nats)',
        nameGap: 42,
        splitLine: { lineStyle: { color: faint } },
      },
      {
        ...axis,
        ...name,
        gridIndex: 1,
        name: 'error (%)',
        nameGap: 42,
        min: 0,
        // The first steps guess: what matters would be a flat line at the bottom.
        max: Math.min(
          100,
          Math.ceil((Math.max(...steps.slice(2).map((each) => each.trainError), 0.1) * 100) / 10) * 10,
        ),
        splitLine: { lineStyle: { color: faint } },
      },
    ],
    series: [
      {
        ...line,
        ...panel(0),
        name: 'training loss',
        color: grey,
        data: steps.map(({ epoch, loss }) => [epoch, loss]),
      },
      {
        ...line,
        ...panel(0),
        name: 'test loss',
        color: blue,
        showSymbol: true,
        symbolSize: 6,
        data: evaluations.map(({ epoch, testLoss }) => [epoch, testLoss]),
      },
      {
        ...line,
        ...panel(1),
        name: 'training error',
        color: grey,
        data: steps.map(({ epoch, trainError }) => [epoch, trainError * 100]),
      },
      {
        ...line,
        ...panel(1),
        name: 'test error',
        color: orange,
        showSymbol: true,
        symbolSize: 6,
        data: evaluations.map(({ epoch, top1Error }) => [epoch, top1Error * 100]),
      },
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  // echarts gives no text for those who cannot see the image.
  const about = `Loss and error of ${title}`.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return svg.replace(/^<svg[^>]*>/, (tag) => `${tag}\n<title>${about}</title>`);
}

/** `inception classify`: the most probable labels of picture files. */
import type { Command } from 'commander';
import { decodePicture } from '../../data/decode.ts';
import { preprocess } from '../../data/preprocess.ts';
import { topClasses } from '../../evaluate/score.ts';
import { loadModel } from '../../train/load-model.ts';
import { colours } from '../colours.ts';
import { addEngineOptions, choosePrecision, type EngineOptions, openEngine } from '../engine-options.ts';
import { wholeNumber } from '../usage.ts';

type Values = EngineOptions & { model: string; top: number; json?: boolean };

export function addClassify(program: Command): void {
  addEngineOptions(
    program
      .command('classify')
      .description('the most probable labels of pictures')
      .argument('<image...>', 'JPEG, PNG or WebP files')
      .requiredOption('--model <model>', 'a run folder or its model.safetensors')
      .option('--top <k>', 'labels for each picture', wholeNumber('--top'), 5)
      .option('--json', 'print JSON'),
  )
    .addHelpText('after', '\nExample:\n  inception classify shoe.jpg bag.png --model runs/fashion')
    .action(run);
}

async function run(files: readonly string[], values: Values): Promise<void> {
  const engine = await openEngine(values);
  try {
    const batch = Math.min(files.length, 16);
    const precision = choosePrecision(values.precision, engine);
    const { configuration, predictor } = await loadModel(values.model, { engine, batch, precision });
    const { preprocessing, classes } = configuration;
    const bytes = preprocessing.size[0] * preprocessing.size[1] * 3;
    const results: { file: string; labels: { label: string; probability: number }[] }[] = [];
    for (let first = 0; first < files.length; first += batch) {
      const images = new Uint8Array(batch * bytes);
      const part = files.slice(first, first + batch);
      for (const [row, file] of part.entries())
        preprocess(await decodePicture(file), preprocessing, images, row * bytes);
      const probabilities = await predictor.predict(images);
      for (const [row, file] of part.entries()) {
        const best = topClasses(probabilities, { row, classes: predictor.classes, k: values.top });
        results.push({
          file,
          labels: best.map(({ label, probability }) => ({ label: classes[label] as string, probability })),
        });
      }
    }
    process.stdout.write(values.json ? `${JSON.stringify(results, null, 2)}\n` : text(results));
  } finally {
    await engine.close();
  }
}

function text(
  results: readonly { file: string; labels: readonly { label: string; probability: number }[] }[],
): string {
  const lines = results.flatMap(({ file, labels }) => [
    colours.bold(file),
    ...labels.map(({ label, probability }) => {
      const bar = '█'.repeat(Math.round(probability * 20)).padEnd(20, '░');
      return `  ${(probability * 100).toFixed(1).padStart(5)}%  ${colours.cyan(bar)}  ${label}`;
    }),
  ]);
  return `${lines.join('\n')}\n`;
}

/** A small run folder for tests, without training. */
import { writeFile } from 'node:fs/promises';
import { encodePng } from '../src/data/decode.ts';
import { standardPreprocessing } from '../src/images/preprocess.ts';
import type { Configuration } from '../src/train/configuration/configuration.ts';
import { resolveRecipe } from '../src/train/recipe/recipe.ts';
import type { EvaluationMetrics, EvaluationRecord, StepMetrics } from '../src/train/run/records.ts';
import { RunFolder } from '../src/train/run/run-folder.ts';

export const sampleConfiguration: Configuration = {
  format: 1,
  network: 'inception-v4',
  options: { classes: 2 },
  data: 'photos',
  classes: ['cat', 'dog'],
  preprocessing: standardPreprocessing([299, 299]),
  recipe: resolveRecipe('paper'),
  seed: 1,
  precision: 'float32',
  device: 'cpu',
  threads: 2,
  limitTrain: null,
  limitTest: null,
  versions: { inception: '0.1.0', libtorch: '1.13.1', node: '20.19.0' },
};

export const stepLine = (step: number): StepMetrics => ({
  kind: 'train',
  step,
  epoch: step / 10,
  loss: 2 / step,
  trainError: 1 / step,
  learningRate: 0.01,
  gradientNorm: 3,
  zeroShare: 0.4,
  imagesPerSecond: 100,
  waitShare: 0.02,
  residentBytes: 1e9,
  elapsedSeconds: step,
});

export const evaluationLine = (step: number): EvaluationMetrics => ({
  kind: 'evaluation',
  step,
  epoch: step / 10,
  validationLoss: 1 / step,
  top1Error: 0.5,
  top5Error: 0,
  elapsedSeconds: step,
});

/** A run after two epochs, with one mistake. */
export async function writeSampleRun(path: string): Promise<void> {
  const folder = new RunFolder(path);
  await folder.create(sampleConfiguration);
  for (const step of [5, 10, 15, 20]) await folder.append(stepLine(step));
  await folder.append(evaluationLine(20));
  const png = await encodePng({ height: 8, width: 8, channels: 1, data: new Uint8Array(64).fill(200) });
  const image = Buffer.from(png).toString('base64');
  const record: EvaluationRecord = {
    format: 1,
    step: 20,
    epoch: 2,
    classes: sampleConfiguration.classes,
    confusion: [
      [0, 0, 1],
      [1, 0, 1],
    ],
    mistakes: [{ index: 1, label: 1, predicted: 0, probability: 0.8, image }],
  };
  await writeFile(folder.file('evaluation.json'), JSON.stringify(record));
}

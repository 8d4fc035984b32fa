/**
 * `evaluation.json` of a run: the confusion matrix, scores of each class and worst mistakes of its last evaluation, for the dashboard. Images are
 * embedded as small PNGs, so that one rename replaces everything and viewing it does not need the data.
 */
import { DataError } from '../../data/data-error.ts';
import type { Dataset } from '../../data/dataset.ts';
import { encodePng } from '../../data/decode.ts';
import { classScores } from '../../evaluate/class-scores.ts';
import { confusedPairs, type Prediction } from '../../evaluate/score.ts';
import { resizeAny } from '../../images/geometry.ts';
import type { Image } from '../../images/image.ts';
import { runFiles } from '../../model/run-layout.ts';
import { replaceText } from '../../replace-file.ts';
import type { EvaluationRecord, Mistake } from './records.ts';
import type { RunFolder } from './run-folder.ts';

const maxMistakes = 24;
/** Longest side of an image in the record, in pixels. */
const imageSide = 96;

/** Writes the record of an evaluation into its run. */
export async function writeEvaluation(
  folder: RunFolder,
  predictions: readonly Prediction[],
  {
    dataset,
    split,
    step,
    epoch,
  }: { dataset: Dataset; split: 'validation' | 'test'; step: number; epoch: number },
): Promise<void> {
  const { classes } = dataset;
  const confusion = confusedPairs(predictions);
  const record: EvaluationRecord = {
    format: 1,
    step,
    epoch,
    split,
    classes,
    ...classScores(confusion),
    confusion,
    mistakes: await worstMistakes(predictions, dataset),
  };
  await replaceText(folder.file(runFiles.evaluation), `${JSON.stringify(record)}\n`);
}

async function worstMistakes(predictions: readonly Prediction[], dataset: Dataset): Promise<Mistake[]> {
  const wrong = predictions
    .filter(({ label, top }) => top[0] !== label)
    .sort((a, b) => b.probability - a.probability || a.index - b.index)
    .slice(0, maxMistakes);
  const mistakes = await Promise.all(
    wrong.map(async ({ index, label, top, probability }) => {
      const image = await imageIfThere(dataset, index);
      if (!image) return [];
      const png = await encodePng(shrink(image));
      return [
        {
          index,
          label,
          predicted: top[0] as number,
          probability,
          image: Buffer.from(png).toString('base64'),
        },
      ];
    }),
  );
  return mistakes.flat();
}

/** The file may have gone since it was evaluated: then a report lacks a thumbnail, and the training goes on. */
async function imageIfThere(dataset: Dataset, index: number): Promise<Image | undefined> {
  try {
    return await dataset.image(index);
  } catch (error) {
    if (error instanceof DataError) return undefined;
    throw error;
  }
}

/** Scales an image down to `imageSide`; smaller ones stay as they are. */
function shrink(image: Image): Image {
  const { height, width } = image;
  const scale = imageSide / Math.max(height, width);
  if (scale >= 1) return image;
  const side = (length: number) => Math.max(1, Math.round(length * scale));
  return resizeAny(image, 'pillow-bilinear', { size: [side(height), side(width)] });
}

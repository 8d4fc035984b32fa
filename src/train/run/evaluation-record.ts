/**
 * `evaluation.json` of a run: the confusion matrix, scores of each class and worst mistakes of the evaluation whose averages are the
 * model, for the dashboard. Images are embedded as small PNGs, so that one rename replaces everything and viewing it does not need the data.
 */
import type { Dataset } from '../../data/dataset.ts';
import { thumbnail } from '../../data/thumbnail.ts';
import { classScores } from '../../evaluate/class-scores.ts';
import { confusedPairs, type Prediction } from '../../evaluate/score.ts';
import { runFiles } from '../../model/run-layout.ts';
import { replaceText } from '../../replace-file.ts';
import type { EvaluationRecord, Mistake } from './records.ts';
import type { RunFolder } from './run-folder.ts';

const maxMistakes = 24;

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
      const image = await thumbnail(dataset, index);
      if (image === undefined) return [];
      return [{ index, label, predicted: top[0] as number, probability, image }];
    }),
  );
  return mistakes.flat();
}

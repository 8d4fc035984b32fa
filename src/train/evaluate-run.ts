/** An evaluation during a training: its score, what is remarkable about it, and its record. */
import type { Dataset } from '../data/dataset.ts';
import { subset } from '../data/open-data.ts';
import { predictions, scoreOf } from '../evaluate/score.ts';
import type { TorchPredictor } from '../predict/torch-predictor.ts';
import type { Configuration } from './configuration/configuration.ts';
import type { DataRecorder } from './data-record.ts';
import { explainGap, isWorseThanGuessing } from './evaluation-gap.ts';
import type { Recorder } from './run/recorder.ts';
import type { EvaluationMetrics } from './run/records.ts';

/** Training images that tell why an evaluation is worse than guessing. */
const gapImages = 256;

interface Evaluated {
  readonly configuration: Configuration;
  readonly predictor: TorchPredictor;
  readonly train: Dataset;
  readonly test: Dataset;
  readonly data: DataRecorder;
  readonly recorder: Recorder;
  readonly signal?: AbortSignal | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

export interface EvaluatedAt {
  readonly step: number;
  readonly epoch: number;
  readonly elapsedSeconds: number;
  /** Of the last line of metrics. */
  readonly trainLoss: number | undefined;
}

/** Undefined if it was interrupted: the weights are saved, and a resumed run evaluates again. */
export async function evaluateRun(
  { configuration, predictor, train, test, data, recorder, signal, onWarning }: Evaluated,
  { trainLoss, ...at }: EvaluatedAt,
): Promise<EvaluationMetrics | undefined> {
  const members = [{ predictor, preprocessing: configuration.preprocessing }];
  await predictor.refresh();
  const results = await predictions(test, {
    members,
    views: { crops: 1 },
    ...(signal && { signal }),
    onBroken: (index, { message }) =>
      data.skip(test.nameOf(index), { reason: message, what: 'it does not count' }),
  });
  if (signal?.aborted) return undefined;
  const { loss: testLoss, top1Error, top5Error, balancedAccuracy } = scoreOf(results);
  await data.save();
  const lossOnTrainingImages = async () => {
    const trained = await predictions(subset(train, gapImages), {
      members,
      views: { crops: 1 },
      onBroken: () => undefined,
    });
    return { loss: scoreOf(trained).loss, images: trained.length };
  };
  const skipped = test.length - results.length;
  const losses = { testLoss, trainLoss, classes: configuration.classes.length };
  const remark = isWorseThanGuessing(losses) ? explainGap(losses, await lossOnTrainingImages()) : undefined;
  if (remark !== undefined) onWarning?.(remark);
  const { step, epoch, elapsedSeconds } = at;
  return recorder.evaluation(
    {
      kind: 'evaluation',
      step,
      epoch,
      testLoss,
      top1Error,
      top5Error,
      balancedAccuracy,
      elapsedSeconds,
      ...(skipped > 0 && { skipped }),
      ...(remark !== undefined && { remark }),
    },
    { predictions: results, dataset: test },
  );
}

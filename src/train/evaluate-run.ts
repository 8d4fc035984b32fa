/** An evaluation during a training, and the test at its end: their scores, what is remarkable about them, and their records. */
import type { Dataset } from '../data/dataset.ts';
import { subset } from '../data/selection.ts';
import type { Engine } from '../engine/engine.ts';
import { type Prediction, predictions, scoreOf } from '../evaluate/score.ts';
import { runFiles } from '../model/run-layout.ts';
import { loadModel } from '../predict/load-model.ts';
import type { Predictor } from '../predict/predict-images.ts';
import type { TorchPredictor } from '../predict/torch-predictor.ts';
import type { Configuration } from './configuration/configuration.ts';
import type { DataRecorder } from './data-record.ts';
import { explainGap, isWorseThanGuessing } from './evaluation-gap.ts';
import type { Recorder } from './run/recorder.ts';
import type { EvaluationMetrics, TestMetrics } from './run/records.ts';
import { modelProblem } from './run/restore-latest.ts';
import type { RunFolder } from './run/run-folder.ts';
import type { RunData } from './run-data.ts';

/** Training images that tell why an evaluation is worse than guessing. */
const gapImages = 256;

interface Evaluated {
  readonly configuration: Configuration;
  readonly data: DataRecorder;
  readonly recorder: Recorder;
  readonly signal?: AbortSignal | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

interface At {
  readonly step: number;
  readonly epoch: number;
  readonly elapsedSeconds: number;
}

/** Undefined if it was interrupted. */
async function measure(
  dataset: Dataset,
  predictor: Predictor,
  { configuration, data, signal }: Omit<Evaluated, 'recorder'>,
) {
  const results = await predictions(dataset, {
    members: [{ predictor, preprocessing: configuration.preprocessing }],
    views: { crops: 1 },
    ...(signal && { signal }),
    onBroken: (index, { message }) =>
      data.skip(dataset.nameOf(index), { reason: message, what: 'it does not count' }),
  });
  if (signal?.aborted) return undefined;
  const { loss, top1Error, top5Error, balancedAccuracy } = scoreOf(results);
  await data.save();
  const skipped = dataset.length - results.length;
  const errors = { top1Error, top5Error, balancedAccuracy, ...(skipped > 0 && { skipped }) };
  return { predictions: results as readonly Prediction[], loss, errors };
}

/**
 * Evaluates the averaged weights on the validation images. Undefined if it was interrupted: the weights are saved, and a resumed run
 * evaluates again.
 */
export async function evaluateRun(
  {
    predictor,
    train,
    validation,
    ...run
  }: Evaluated & {
    readonly predictor: TorchPredictor;
    readonly train: Dataset;
    readonly validation: Dataset;
  },
  {
    trainLoss,
    ...at
  }: At & {
    /** Of the last line of metrics. */
    readonly trainLoss: number | undefined;
  },
): Promise<EvaluationMetrics | undefined> {
  const { configuration, recorder, onWarning } = run;
  await predictor.refresh();
  const measured = await measure(validation, predictor, run);
  if (!measured) return undefined;
  const lossOnTrainingImages = async () => {
    const trained = await predictions(subset(train, gapImages), {
      members: [{ predictor, preprocessing: configuration.preprocessing }],
      views: { crops: 1 },
      onBroken: () => undefined,
    });
    return { loss: scoreOf(trained).loss, images: trained.length };
  };
  const { loss: validationLoss, errors, predictions: results } = measured;
  const losses = { validationLoss, trainLoss, classes: configuration.classes.length };
  const remark = isWorseThanGuessing(losses) ? explainGap(losses, await lossOnTrainingImages()) : undefined;
  if (remark !== undefined) onWarning?.(remark);
  const { step, epoch, elapsedSeconds } = at;
  return recorder.evaluation(
    {
      kind: 'evaluation',
      step,
      epoch,
      validationLoss,
      ...errors,
      elapsedSeconds,
      ...(remark !== undefined && { remark }),
    },
    { predictions: results, dataset: validation },
  );
}

interface Ended extends Evaluated, Pick<RunData, 'validation' | 'test'> {
  readonly engine: Engine;
  readonly folder: RunFolder;
}

/**
 * What a training does after its last step: it writes the model, if no evaluation has, and takes its one look at the test images, with
 * the model as it is in the folder. What is done already is not done again. Undefined without test images, or if it was interrupted.
 */
export async function concludeRun(
  { engine, folder, validation, test, ...run }: Ended,
  at: At,
): Promise<{ readonly test: TestMetrics | undefined; readonly isNew: boolean }> {
  const { configuration, recorder, onWarning, signal } = run;
  if (!validation && (await modelProblem(folder, { step: at.step })) !== undefined)
    await recorder.model(at.step);
  if (!test) return { test: undefined, isNew: false };
  const tests = (await folder.metrics()).filter((line): line is TestMetrics => line.kind === 'test');
  const done = tests.find(({ step }) => step === at.step);
  if (done || signal?.aborted) return { test: done, isNew: false };
  const [before] = tests;
  if (before)
    onWarning?.(
      `the test images were scored after step ${before.step} already: whoever chooses between the two by them gets an error that flatters`,
    );
  const { precision, recipe } = configuration;
  const model = await loadModel(folder.file(runFiles.model), { engine, batch: recipe.batch, precision });
  try {
    const measured = await measure(test, model.predictor, run);
    if (!measured) return { test: undefined, isNew: false };
    const { loss: testLoss, errors, predictions: results } = measured;
    const { step, epoch, elapsedSeconds } = at;
    const metrics = { kind: 'test', step, epoch, testLoss, ...errors, elapsedSeconds } as const;
    await recorder.test(metrics, { predictions: results, dataset: test });
    return { test: metrics, isNew: true };
  } finally {
    model.release();
  }
}

/** An evaluation during a training, and the test at its end: their scores, what is remarkable about them, and their records. */
import type { Dataset } from '../data/dataset.ts';
import { selection, subset } from '../data/selection.ts';
import type { Store } from '../engine/engine.ts';
import { type Prediction, predictions, readPrediction, scoreOf } from '../evaluate/score.ts';
import type { Graph } from '../graph/graph.ts';
import { runFiles } from '../model/run-layout.ts';
import type { Predictor } from '../predict/predict-images.ts';
import type { TorchPredictor } from '../predict/torch-predictor.ts';
import type { Configuration } from './configuration/configuration.ts';
import type { DataRecorder } from './data-record.ts';
import { alone, isFirst, type Sharing, shareStore } from './replicas/sharing.ts';
import { restoreModel } from './run/checkpoint.ts';
import type { Recorder } from './run/recorder.ts';
import type { EvaluationMetrics, Metrics, TestMetrics } from './run/records.ts';
import { modelProblem } from './run/restore-latest.ts';
import type { RunFolder } from './run/run-folder.ts';
import type { RunData } from './run-data.ts';
import { explainGap, isWorseThanGuessing } from './watch/evaluation-gap.ts';
import type { ResidualWatch } from './watch/residuals.ts';

/** Training images that tell why an evaluation is worse than guessing. */
const gapImages = 256;

interface Evaluated {
  readonly configuration: Configuration;
  readonly data: DataRecorder;
  readonly recorder: Recorder;
  /** The processes that evaluate together. Default: this one. */
  readonly sharing?: Sharing | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

interface At {
  readonly step: number;
  readonly epoch: number;
  readonly elapsedSeconds: number;
}

/** Each process predicts images of its own, each image once; all get all results. Undefined if it was interrupted anywhere. */
async function measure(
  dataset: Dataset,
  predictor: Predictor,
  { configuration, data, signal, sharing = alone }: Omit<Evaluated, 'recorder'>,
) {
  const { group } = sharing;
  const indices = Array.from(
    { length: Math.ceil(Math.max(0, dataset.length - group.rank) / group.size) },
    (_, index) => index * group.size + group.rank,
  );
  const own = group.size === 1 ? dataset : selection(dataset, indices);
  const predicted = await predictions(own, {
    members: [{ predictor, preprocessing: configuration.preprocessing }],
    views: { crops: 1 },
    ...(signal && { signal }),
    onBroken: (index, { message }) =>
      data.skip(own.nameOf(index), { reason: message, what: 'it does not count' }),
  });
  const gathered = await group.gather({
    isInterrupted: signal?.aborted ?? false,
    predicted: predicted.map((one) => ({ ...one, index: indices[one.index] as number })),
  });
  if (gathered.some(({ isInterrupted }) => isInterrupted)) return undefined;
  const results = gathered
    .flatMap((one) => one.predicted)
    .map(readPrediction)
    .sort((a, b) => a.index - b.index);
  await data.gather(group);
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
    watch,
    train,
    validation,
    ...run
  }: Evaluated & {
    readonly predictor: TorchPredictor;
    /** Of the process that writes. */
    readonly watch: Pick<ResidualWatch, 'look'> | undefined;
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
  const blocks = await watch?.look();
  const { step, epoch, elapsedSeconds } = at;
  return recorder.evaluation(
    {
      kind: 'evaluation',
      step,
      epoch,
      validationLoss,
      ...errors,
      elapsedSeconds,
      ...(blocks && { blocks }),
      ...(remark !== undefined && { remark }),
    },
    { predictions: results, dataset: validation },
  );
}

interface Ended extends Evaluated, Pick<RunData, 'validation' | 'test'> {
  readonly store: Store;
  readonly graph: Graph;
  readonly predictor: TorchPredictor;
  readonly folder: RunFolder;
}

/**
 * What a training does after its last step: it writes the model, if no evaluation has, and takes its one look at the test images, with
 * the model as it is in the folder. What is done already is not done again. Undefined without test images, or if it was interrupted.
 */
export async function concludeRun(
  { store, graph, predictor, folder, validation, test, ...run }: Ended,
  at: At,
): Promise<{ readonly test: TestMetrics | undefined; readonly isNew: boolean }> {
  const { recorder, onWarning, signal, sharing = alone } = run;
  const { group } = sharing;
  const hasFolder = isFirst(sharing);
  if (hasFolder && !validation && (await modelProblem(folder, { step: at.step })) !== undefined)
    await recorder.model(at.step);
  if (!test) return { test: undefined, isNew: false };
  const isTest = (line: Metrics): line is TestMetrics => line.kind === 'test';
  const tests = await group.fromFirst(hasFolder ? (await folder.metrics()).filter(isTest) : undefined);
  const done = tests.find(({ step }) => step === at.step);
  const interrupted = await group.gather(signal?.aborted ?? false);
  if (done || interrupted.includes(true)) return { test: done, isNew: false };
  const [before] = tests;
  if (before)
    onWarning?.(
      `the test images were scored after step ${before.step} already: whoever chooses between the two by them gets an error that flatters`,
    );
  if (hasFolder) await restoreModel(folder.file(runFiles.model), { store, graph });
  await shareStore(store, sharing);
  await predictor.refresh();
  const measured = await measure(test, predictor, run);
  if (!measured) return { test: undefined, isNew: false };
  const { loss: testLoss, errors, predictions: results } = measured;
  const { step, epoch, elapsedSeconds } = at;
  const metrics = { kind: 'test', step, epoch, testLoss, ...errors, elapsedSeconds } as const;
  await recorder.test(metrics, { predictions: results, dataset: test });
  return { test: metrics, isNew: true };
}

/** The training loop, in order of execution. */

import { mergeStores } from '../compile/merge-stores.ts';
import { scalarInputs } from '../compile/optimizers/optimizers.ts';
import { compileTraining } from '../compile/training/compile-training.ts';
import { alignClasses } from '../data/align-classes.ts';
import { batchesInEpoch, trainingBatches } from '../data/batches.ts';
import { DataError } from '../data/data-error.ts';
import { summarise } from '../data/data-report.ts';
import type { Dataset } from '../data/dataset.ts';
import { openData, subset } from '../data/open-data.ts';
import type { Engine, HostTensor, Store } from '../engine/engine.ts';
import { predictions, scoreOf } from '../evaluate/score.ts';
import type { Graph } from '../graph/graph.ts';
import { graphOf } from '../model/description.ts';
import { initialise } from '../model/initialise.ts';
import type { ModelFile } from '../model/model-file.ts';
import { runFiles } from '../model/run-layout.ts';
import { planPredictor } from '../predict/torch-predictor.ts';
import { type Configuration, RunError } from './configuration/configuration.ts';
import { dataPath, differenceOf, filesOf } from './configuration/data-files.ts';
import { DataRecorder } from './data-record.ts';
import { explainGap, isWorseThanGuessing } from './evaluation-gap.ts';
import { deathNotice, explainSystemError, maxDeadSteps, refuseNonFinite } from './failures.ts';
import { addStep, type Measured, meansOf } from './metrics-window.ts';
import { weightsOf } from './recipe/class-weights.ts';
import {
  averageDecayAt,
  batchNormMomentumAt,
  graphToTrain,
  learningRateAt,
  stepOptionsOf,
} from './recipe/recipe.ts';
import { type Recorder, recordInto } from './run/recorder.ts';
import { restoreLatest } from './run/restore-latest.ts';
import type { EvaluationMetrics, RunFolder } from './run/run-folder.ts';
import { emptyWindow, initialState, type Position, type TrainingState } from './run/training-state.ts';
import { fillStore } from './starting/fill-store.ts';
import { TrainingError } from './training-error.ts';

/** Progress after a training step. */
export interface Progress {
  readonly step: number;
  readonly totalSteps: number;
  /** Loss of this step. */
  readonly loss: number;
  /** Top-1 error of this batch, 0–1. */
  readonly error: number;
  readonly imagesPerSecond: number;
}

export interface Start {
  readonly graph: Graph;
  readonly train: Dataset;
  readonly test: Dataset;
  readonly position: Position;
  readonly totalSteps: number;
}

export interface LoopOptions {
  readonly configuration: Configuration;
  readonly folder: RunFolder;
  readonly engine: Engine;
  readonly resume: boolean;
  /** The model that a new run starts from; it stays open. Default: random weights. */
  readonly startingModel?: ModelFile | undefined;
  /** Aborting saves a checkpoint and ends the training. */
  readonly signal?: AbortSignal;
  /** Called when everything is open, before anything is written. */
  readonly onReady?: (at: { readonly step: number; readonly stepsPerEpoch: number }) => Promise<void>;
  readonly onStart?: (start: Start) => void;
  readonly onStep?: (progress: Progress) => void;
  readonly onEvaluation?: (metrics: EvaluationMetrics) => void;
  readonly onWarning?: (message: string) => void;
}

/** The result of a training. */
export interface TrainResult {
  readonly finished: boolean;
  readonly position: Position;
  /** The last evaluation, if there was one. */
  readonly evaluation: EvaluationMetrics | undefined;
}

const saveEveryMs = 10 * 60_000;

/** Training images that tell why an evaluation is worse than guessing. */
const gapImages = 256;

/**
 * Trains until the recipe's last epoch or until the signal aborts. Writes metrics, checkpoints and, at every evaluation, the
 * model into the folder.
 * @throws TrainingError, RunError, or the errors of the data or the engine; the last checkpoint is kept.
 */
export async function runLoop(options: LoopOptions): Promise<TrainResult> {
  const { configuration, folder, engine, signal } = options;
  const { recipe, seed, preprocessing } = configuration;
  const trained = configuration.weights !== undefined;
  const [trainData, testData] = [await openSplit(options, 'train'), await openSplit(options, 'validation')];
  const graph = graphToTrain(graphOf(configuration), recipe);
  const stepsPerEpoch = batchesInEpoch(trainData, recipe.batch);
  const totalSteps = Math.max(1, Math.round(recipe.epochs * stepsPerEpoch));

  const classWeights = weightsOf(recipe.classWeights, summarise(trainData));
  const { store, step, predictor } = await openPrograms(engine, graph, configuration);
  const recorder = recordInto(folder, { store, graph, configuration, onWarning: options.onWarning });
  let { position, window, deadSteps } = await firstState(options, { store, graph, recorder });
  await options.onReady?.({ step: position.step, stepsPerEpoch });
  // From here on the run has its weights itself, whatever becomes of the file that they came from.
  if (options.startingModel) await recorder.checkpoint(initialState);
  const data = new DataRecorder(folder.file(runFiles.data), {
    train: trainData,
    test: testData,
    onWarning: options.onWarning,
  });
  if (options.resume) await data.resume();
  options.onStart?.({ graph, train: trainData, test: testData, position, totalSteps });
  const batches = trainingBatches(trainData, {
    batch: recipe.batch,
    size: preprocessing.size,
    augmentation: recipe.augmentation,
    sampling: recipe.sampling,
    seed,
    start: position,
    onBroken: ({ message }, index) =>
      data.skip(trainData.nameOf(index), { reason: message, what: 'another image is used instead' }),
  });

  const lossOnTrainingImages = async () => {
    const results = await predictions(subset(trainData, gapImages), {
      members: [{ predictor, preprocessing }],
      views: { crops: 1 },
      onBroken: () => undefined,
    });
    return { loss: scoreOf(results).loss, images: results.length };
  };

  let trainLoss: number | undefined;
  /** Undefined if interrupted: the weights are saved, and a resumed run evaluates again. */
  const evaluate = async (): Promise<EvaluationMetrics | undefined> => {
    await predictor.refresh();
    const results = await predictions(testData, {
      members: [{ predictor, preprocessing }],
      views: { crops: 1 },
      ...(signal && { signal }),
      onBroken: (index, { message }) =>
        data.skip(testData.nameOf(index), { reason: message, what: 'it does not count' }),
    });
    if (signal?.aborted) return undefined;
    const { loss, top1Error, top5Error, balancedAccuracy } = scoreOf(results);
    await data.save();
    const skipped = testData.length - results.length;
    const losses = { testLoss: loss, trainLoss, classes: configuration.classes.length };
    const remark = isWorseThanGuessing(losses) ? explainGap(losses, await lossOnTrainingImages()) : undefined;
    if (remark !== undefined) options.onWarning?.(remark);
    const { step, elapsedSeconds } = position;
    const epoch = step / stepsPerEpoch;
    const metrics = {
      kind: 'evaluation',
      step,
      epoch,
      testLoss: loss,
      top1Error,
      top5Error,
      balancedAccuracy,
      elapsedSeconds,
      ...(skipped > 0 && { skipped }),
      ...(remark !== undefined && { remark }),
    } as const;
    await recorder.evaluation(metrics, { predictions: results, dataset: testData });
    options.onEvaluation?.(metrics);
    return metrics;
  };

  const logEvery = Math.max(1, Math.round(stepsPerEpoch / 20));
  let evaluation: EvaluationMetrics | undefined;
  let saved = performance.now();
  const { evaluateEvery = 1, saveEverySteps } = configuration;
  const isDue = () =>
    position.step === totalSteps || (position.position === 0 && position.epoch % evaluateEvery === 0);
  try {
    // An evaluation may have been interrupted, or the model lost.
    if (options.resume && position.step > 0 && isDue() && !(await wasEvaluated(folder, position.step)))
      evaluation = await evaluate();
    else if (options.resume) await recorder.repairModel(position.step);
    while (position.step < totalSteps && !signal?.aborted) {
      const begin = performance.now();
      const { images, labels, epoch, position: batchIndex } = (await batches.next()).value;
      const waitedForBatch = performance.now() - begin;
      const learningRate = learningRateAt(position.step, { recipe, stepsPerEpoch });
      const outputs = await step.run({
        images,
        labels,
        ...(classWeights && { classWeights }),
        learningRate: new Float32Array([learningRate]),
        averageDecay: new Float32Array([averageDecayAt(position.step, recipe.averageDecay)]),
        batchNormMomentum: new Float32Array([
          batchNormMomentumAt(position.step, recipe.batchNormMomentum, { trained }),
        ]),
        ...scalarInputs(recipe.optimizer, position.step + 1),
      });
      const elapsed = performance.now() - begin;
      // A step that has ended while this thread prepares images waits for data, too.
      const waited = waitedForBatch + engine.lateMs;
      const last = batchIndex + 1 === stepsPerEpoch;
      position = {
        step: position.step + 1,
        epoch: last ? epoch + 1 : epoch,
        position: last ? 0 : batchIndex + 1,
        elapsedSeconds: position.elapsedSeconds + elapsed / 1000,
      };
      const measured = readOutputs(outputs);
      const at = { step: position.step, learningRate, recipe, folder: folder.path, graph };
      refuseNonFinite(measured, at);
      deadSteps = measured.zeroShare >= 0.999 ? deadSteps + 1 : 0;
      if (deadSteps >= maxDeadSteps) throw new TrainingError(deathNotice(at));
      window = addStep(window, { ...measured, elapsed, waited });
      options.onStep?.({
        step: position.step,
        totalSteps,
        loss: measured.loss,
        error: measured.wrong / recipe.batch,
        imagesPerSecond: (recipe.batch / elapsed) * 1000,
      });
      const ended = position.step === totalSteps;
      if (position.step % logEvery === 0 || ended) {
        const epoch = position.step / stepsPerEpoch;
        const means = meansOf(window, { batch: recipe.batch, position, learningRate, epoch });
        trainLoss = means.loss;
        await recorder.steps(means);
        window = emptyWindow;
      }
      const due = saveEverySteps !== undefined && position.step % saveEverySteps === 0;
      // Before the evaluation, which is slow and may be interrupted.
      if (ended || last || signal?.aborted || due || performance.now() - saved > saveEveryMs) {
        await recorder.checkpoint({ position, window, deadSteps });
        saved = performance.now();
      }
      if (!signal?.aborted && isDue()) evaluation = await evaluate();
    }
    await recorder.finish();
    const summary = data.summary();
    if (summary !== undefined) options.onWarning?.(summary);
    await data.save();
  } catch (error) {
    throw explainSystemError(error, { step: position.step, folder: folder.path });
  } finally {
    // A disk that is full is told already.
    await data.save().catch(() => undefined);
    await batches.return(undefined);
  }
  const evaluated = evaluation !== undefined || (await wasEvaluated(folder, position.step));
  return { finished: position.step >= totalSteps && evaluated, position, evaluation };
}

const moved = 'if the data have moved, add --data with their new folder to --resume';

const wasEvaluated = async (folder: RunFolder, step: number): Promise<boolean> =>
  (await folder.metrics()).some((line) => line.kind === 'evaluation' && line.step === step);

async function openSplit(
  { configuration, resume, folder, onWarning }: LoopOptions,
  split: 'train' | 'validation',
): Promise<Dataset> {
  const { files, limitTrain, limitTest, classes } = configuration;
  // Runs of earlier versions hold the path as it was typed.
  const data = dataPath(configuration.data);
  const opened = await openData(data, split).catch((error) => {
    throw resume && error instanceof DataError ? new DataError(`${error.message}; ${moved}`) : error;
  });
  // A test split may lack images of some classes.
  const dataset = split === 'train' ? opened : alignClasses(opened, classes);
  if (dataset.classes.join() !== classes.join()) {
    throw new RunError(
      `${dataset.name}: its classes are ${dataset.classes.join(', ')}; the run has ${classes.join(', ')}`,
    );
  }
  const began = files?.[split === 'train' ? 'train' : 'test'];
  const difference = began && differenceOf(began, filesOf(opened, data));
  if (difference !== undefined)
    throw new RunError(
      `${dataset.name}: ${difference}. ${folder.path} goes on with the files that it began with: put them back, or start a new run`,
    );
  if (resume && !files && split === 'train')
    onWarning?.(
      `${folder.path} is of an earlier version, which did not record its files: whether ${data} is as it was is not known`,
    );
  const limit = split === 'train' ? limitTrain : limitTest;
  return limit === null ? dataset : subset(dataset, limit);
}

/** Loads the training step and a predictor for the averaged weights, with one store for both. */
async function openPrograms(engine: Engine, graph: Graph, configuration: Configuration) {
  const { recipe, precision } = configuration;
  const { mean, std } = configuration.preprocessing;
  const scaling = { mean, std };
  const { kernels } = engine.facts;
  const training = compileTraining(graph, {
    ...stepOptionsOf(recipe),
    precision,
    scaling,
    kernels,
  });
  const plan = planPredictor(graph, {
    batch: recipe.batch,
    precision,
    scaling,
    parameters: 'averages',
    kernels,
  });
  const store = await engine.createStore(mergeStores(training.store, plan.spec));
  const step = await engine.load(training.step, store);
  return { store, step, predictor: await plan.open(engine, store) };
}

/** Initialises the weights, or restores the latest checkpoint. */
async function firstState(
  { configuration, folder, resume, startingModel, onWarning }: LoopOptions,
  { store, graph, recorder }: { store: Store; graph: Graph; recorder: Recorder },
): Promise<TrainingState> {
  const { optimizer } = configuration.recipe;
  const restored = resume ? await restoreLatest(folder, { store, graph, optimizer }, onWarning) : undefined;
  if (resume) await recorder.rewind((restored ?? initialState).position.step);
  if (restored) return restored;
  const { seed, classes, weights } = configuration;
  if (startingModel) await fillStore(store, { model: startingModel, graph, classes, seed });
  else if (weights)
    throw new RunError(
      `${folder.path}: it was stopped before it had saved the weights that it starts from; remove the folder and start it again from ${weights.source}`,
    );
  else await initialise(store, graph, seed);
  return initialState;
}

function readOutputs(outputs: Record<string, HostTensor>): Measured {
  const number = (name: string) => Number(outputs[name]?.data[0]);
  return {
    loss: number('loss'),
    wrong: number('wrong'),
    gradientNorm: number('gradientNorm'),
    zeroShare: number('zeroShare'),
  };
}

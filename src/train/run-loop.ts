/** The training loop, in the order in which things happen. */

import { compileTraining } from '../compile/compile-training.ts';
import { mergeStores } from '../compile/merge-stores.ts';
import { scalarInputs } from '../compile/optimizers/optimizers.ts';
import { batchesInEpoch, trainingBatches } from '../data/batches.ts';
import type { Dataset } from '../data/dataset.ts';
import { openData, subset } from '../data/open-data.ts';
import type { Engine, HostTensor, Store } from '../engine/engine.ts';
import { predictions, scoreOf } from '../evaluate/score.ts';
import type { Graph } from '../graph/graph.ts';
import { graphOf } from '../model/description.ts';
import { initialise } from '../model/initialise.ts';
import { planPredictor } from '../predict/torch-predictor.ts';
import { type Configuration, RunError } from './configuration.ts';
import { type Measured, MetricsWindow } from './metrics-window.ts';
import { averageDecayAt, learningRateAt, stepOptionsOf } from './recipe.ts';
import { type Position, restoreCheckpoint } from './run/checkpoint.ts';
import { type Recorder, recordInto } from './run/recorder.ts';
import type { EvaluationMetrics, RunFolder } from './run/run-folder.ts';
import { TrainingError } from './training-error.ts';

/** A training step. */
export interface Progress {
  readonly step: number;
  readonly totalSteps: number;
  /** Of this step. */
  readonly loss: number;
  /** Share of this batch. */
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
  /** Aborting saves a checkpoint and ends the training. */
  readonly signal?: AbortSignal;
  /** Epochs between evaluations. Default 1. */
  readonly evaluateEvery?: number;
  /** Steps between checkpoints, besides those at the end of each epoch and every ten minutes. */
  readonly saveEverySteps?: number;
  readonly onStart?: (about: Start) => void;
  readonly onStep?: (progress: Progress) => void;
  readonly onEvaluation?: (metrics: EvaluationMetrics) => void;
  readonly onWarning?: (message: string) => void;
}

/** How a training ended. */
export interface TrainResult {
  readonly finished: boolean;
  readonly position: Position;
  /** The last evaluation, if there was one. */
  readonly evaluation: EvaluationMetrics | undefined;
}

const saveEveryMs = 10 * 60_000;

/** Steps in a row in which every feature is zero before a network counts as dead. */
const deadSteps = 20;

/**
 * Trains until the recipe's last epoch or until the signal. The folder gets metrics, checkpoints and, with every
 * evaluation, the model.
 * @throws TrainingError, RunError, or whatever the data or the engine throw; the last checkpoint stays.
 */
export async function runLoop(options: LoopOptions): Promise<TrainResult> {
  const { configuration, folder, engine, signal } = options;
  const { recipe, seed, preprocessing } = configuration;
  const trainData = await openSplit(configuration, 'train');
  const testData = await openSplit(configuration, 'test');
  const graph = graphOf(configuration);
  const stepsPerEpoch = batchesInEpoch(trainData, recipe.batch);
  const totalSteps = Math.max(1, Math.round(recipe.epochs * stepsPerEpoch));

  const { store, step, predictor } = await openPrograms(engine, graph, configuration);
  const recorder = recordInto(folder, { store, graph, configuration });
  let at = await firstPosition(options, { store, graph, recorder });
  options.onStart?.({ graph, train: trainData, test: testData, position: at, totalSteps });
  const batches = trainingBatches(trainData, {
    batch: recipe.batch,
    size: preprocessing.size,
    augmentation: recipe.augmentation,
    seed,
    start: at,
    onBroken: (error) => options.onWarning?.(`${error.message}; another image takes its place`),
  });

  /** Nothing if it was interrupted: what was learnt is saved, and a resumed run evaluates after its next epoch. */
  const evaluate = async (): Promise<EvaluationMetrics | undefined> => {
    await predictor.refresh();
    const found = await predictions(testData, {
      members: [{ predictor, preprocessing }],
      views: { crops: 1 },
      ...(signal && { signal }),
    });
    if (signal?.aborted) return undefined;
    const { loss, top1Error, top5Error } = scoreOf(found, { classes: testData.classes.length });
    const { step, elapsedSeconds } = at;
    const epoch = step / stepsPerEpoch;
    const metrics = {
      kind: 'evaluation',
      step,
      epoch,
      testLoss: loss,
      top1Error,
      top5Error,
      elapsedSeconds,
    } as const;
    await recorder.evaluation(metrics, { predictions: found, dataset: testData });
    options.onEvaluation?.(metrics);
    return metrics;
  };

  const window = new MetricsWindow(recipe.batch);
  const logEvery = Math.max(1, Math.round(stepsPerEpoch / 20));
  let evaluation: EvaluationMetrics | undefined;
  let dead = 0;
  let saved = performance.now();
  const evaluateEvery = options.evaluateEvery ?? 1;
  const isDue = () => at.step === totalSteps || (at.position === 0 && at.epoch % evaluateEvery === 0);
  try {
    // The evaluation that an interruption cut short.
    if (options.resume && at.step > 0 && isDue() && !(await wasEvaluated(folder, at.step)))
      evaluation = await evaluate();
    while (at.step < totalSteps && !signal?.aborted) {
      const begin = performance.now();
      const { images, labels, epoch, position } = (await batches.next()).value;
      const waited = performance.now() - begin;
      const learningRate = learningRateAt(at.step, { recipe, stepsPerEpoch });
      const outputs = await step.run({
        images,
        labels,
        learningRate: new Float32Array([learningRate]),
        averageDecay: new Float32Array([averageDecayAt(at.step, recipe.averageDecay)]),
        ...scalarInputs(recipe.optimizer, at.step + 1),
      });
      const elapsed = performance.now() - begin;
      const last = position + 1 === stepsPerEpoch;
      at = {
        step: at.step + 1,
        epoch: last ? epoch + 1 : epoch,
        position: last ? 0 : position + 1,
        elapsedSeconds: at.elapsedSeconds + elapsed / 1000,
      };
      const measured = readOutputs(outputs);
      refuseNonFinite(measured, { step: at.step, learningRate });
      dead = measured.zeroShare >= 0.999 ? dead + 1 : 0;
      if (dead >= deadSteps) throw new TrainingError(deathNotice(at.step));
      window.add(measured, { elapsed, waited });
      options.onStep?.({
        step: at.step,
        totalSteps,
        loss: measured.loss,
        error: measured.wrong / recipe.batch,
        imagesPerSecond: (recipe.batch / elapsed) * 1000,
      });
      const ended = at.step === totalSteps;
      if (at.step % logEvery === 0 || ended) {
        await recorder.steps(window.take({ at, learningRate, epoch: at.step / stepsPerEpoch }));
      }
      const due = options.saveEverySteps !== undefined && at.step % options.saveEverySteps === 0;
      // Before the evaluation, which takes long and may be interrupted.
      if (ended || last || signal?.aborted || due || performance.now() - saved > saveEveryMs) {
        await recorder.checkpoint(at);
        saved = performance.now();
      }
      if (!signal?.aborted && isDue()) evaluation = await evaluate();
    }
    await recorder.finish();
  } finally {
    await batches.return(undefined);
  }
  const evaluated = evaluation !== undefined || (await wasEvaluated(folder, at.step));
  return { finished: at.step >= totalSteps && evaluated, position: at, evaluation };
}

const wasEvaluated = async (folder: RunFolder, step: number): Promise<boolean> =>
  (await folder.metrics()).some((line) => line.kind === 'evaluation' && line.step === step);

async function openSplit(
  { data, limitTrain, limitTest, classes }: Configuration,
  split: 'train' | 'test',
): Promise<Dataset> {
  const dataset = await openData(data, split);
  if (dataset.classes.join() !== classes.join()) {
    throw new RunError(
      `${dataset.name}: its classes are ${dataset.classes.join(', ')}; the run has ${classes.join(', ')}`,
    );
  }
  const limit = split === 'train' ? limitTrain : limitTest;
  return limit === null ? dataset : subset(dataset, limit);
}

/** One store for the training step and for the evaluation of its averages. */
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

/** From fresh weights, or from the newest checkpoint. */
async function firstPosition(
  { configuration, folder, resume }: LoopOptions,
  { store, graph, recorder }: { store: Store; graph: Graph; recorder: Recorder },
): Promise<Position> {
  const [newest] = resume ? await folder.checkpoints() : [];
  if (newest !== undefined) {
    const at = await restoreCheckpoint(folder.checkpoint(newest), {
      store,
      graph,
      optimizer: configuration.recipe.optimizer,
    });
    await recorder.rewind(at.step);
    return at;
  }
  if (resume) await recorder.rewind(0);
  await initialise(store, graph, configuration.seed);
  return { step: 0, epoch: 0, position: 0, elapsedSeconds: 0 };
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

function refuseNonFinite(
  { loss, gradientNorm }: Measured,
  { step, learningRate }: { step: number; learningRate: number },
): void {
  if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return;
  const what = Number.isFinite(loss) ? `gradient's norm is ${gradientNorm}` : `loss is ${loss}`;
  throw new TrainingError(
    `step ${step}: the ${what} at learning rate ${learningRate.toPrecision(3)}; a lower --learning-rate, --clip-norm 1 or smaller residual scales (--residual-scale 0.1) help. The last checkpoint is kept: --resume goes on from there`,
  );
}

const deathNotice = (step: number): string =>
  `step ${step}: the network has died: for ${deadSteps} steps every feature before the average pooling's classifier was zero. The paper saw this in residual networks with more than 1000 filters; scale the residuals down (--residual-scale 0.1 to 0.3); lower learning rates did not help there`;

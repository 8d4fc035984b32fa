/** The training loop, in order of execution. */

import { batchesInEpoch } from '../data/batches.ts';
import { summarise } from '../data/data-report.ts';
import type { Engine } from '../engine/engine.ts';
import { type Graph, parametersOf } from '../graph/graph.ts';
import { graphOf } from '../model/description.ts';
import type { ModelFile } from '../model/model-file.ts';
import { runFiles } from '../model/run-layout.ts';
import type { Configuration } from './configuration/configuration.ts';
import { DataRecorder } from './data-record.ts';
import { concludeRun, evaluateRun } from './evaluate-run.ts';
import { recordEvents } from './events/record-events.ts';
import { deathNotice, explainSystemError, maxDeadSteps, refuseNonFinite } from './failures.ts';
import { addStep, meansOf } from './metrics-window.ts';
import { batchesOf, firstState, openPrograms, type Programs } from './open-run.ts';
import { weightsOf } from './recipe/class-weights.ts';
import { graphToTrain, imagesOfStep, learningRateAt } from './recipe/recipe.ts';
import { refuseDifferences } from './replicas/agreement.ts';
import { ownReplicas, runStep } from './replicas/replicas.ts';
import {
  alone,
  compareEvery,
  compareWeights,
  isFirst,
  recordAmong,
  refuseLostPeer,
  type Sharing,
  shareStatistics,
} from './replicas/sharing.ts';
import { type Criterion, evaluationsOf, isOutOfPatience, modelOf } from './run/model-choice.ts';
import { recordInto } from './run/recorder.ts';
import type { EvaluationMetrics, RunFolder, TestMetrics } from './run/run-folder.ts';
import { emptyWindow, initialState, type Position } from './run/training-state.ts';
import { openRunData, type RunData } from './run-data.ts';
import { TrainingError } from './training-error.ts';
import { type Asked, readAsked, readOutputs, stepInputs } from './training-step.ts';
import { dyingNotice, guessingLoss, isDying, mostDyingSteps } from './watch/dying.ts';
import { watchResiduals } from './watch/residuals.ts';

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

/** What a training begins with; its images are those that it uses, within its limits. */
export interface Start extends RunData {
  readonly configuration: Configuration;
  readonly graph: Graph;
  readonly position: Position;
  readonly totalSteps: number;
}

export interface LoopOptions {
  readonly configuration: Configuration;
  readonly folder: RunFolder;
  readonly engine: Engine;
  /** The processes of the training; only the first one has the folder. Default: this one. */
  readonly sharing?: Sharing | undefined;
  readonly resume: boolean;
  /** The model that a new run starts from; it stays open. Default: random weights. */
  readonly startingModel?: ModelFile | undefined;
  /** Aborting saves a checkpoint and ends the training. */
  readonly signal?: AbortSignal;
  /** Called when everything is open, before anything is written. */
  readonly onReady?: (at: {
    readonly configuration: Configuration;
    readonly step: number;
    readonly stepsPerEpoch: number;
  }) => Promise<void>;
  readonly onStart?: (start: Start) => void;
  readonly onStep?: (progress: Progress) => void;
  readonly onEvaluation?: (metrics: EvaluationMetrics | TestMetrics) => void;
  readonly onWarning?: (message: string) => void;
}

/** The result of a training. */
export interface TrainResult {
  /** Whether there is nothing left to train. */
  readonly finished: boolean;
  /** Whether it finished before its last epoch, because no evaluation had been better for as long as `patience`. */
  readonly stoppedEarly: boolean;
  readonly position: Position;
  /** The last evaluation on the validation images, if there was one. */
  readonly evaluation: EvaluationMetrics | undefined;
  /** The evaluation whose averaged weights are the model, if there is one. */
  readonly model: EvaluationMetrics | undefined;
  /** What the model was chosen by, where it is the best evaluation's; otherwise undefined. */
  readonly chosenBy: Criterion | undefined;
  /** The score of the model on the test images at the end, if there are any. */
  readonly test: TestMetrics | undefined;
}

const saveEveryMs = 10 * 60_000;

/**
 * Trains until the recipe's last epoch, until its patience has ended or until the signal aborts. Writes metrics, checkpoints
 * and, at evaluations, the model into the folder.
 * @throws TrainingError, RunError, or the errors of the data or the engine; the last checkpoint is kept.
 */
export async function runLoop(options: LoopOptions): Promise<TrainResult> {
  const { configuration, engine } = options;
  const { recipe } = configuration;
  const splits = await openRunData(options);
  const graph = graphToTrain(graphOf(configuration), recipe);
  const { sharing = alone } = options;
  const programs = await openPrograms(engine, graph, configuration, sharing.group);
  try {
    await refuseDifferences(sharing, { configuration, programs, splits, facts: engine.facts });
    return await runSteps({ ...options, sharing }, { splits, graph, programs });
  } finally {
    programs.release();
  }
}

interface Opened {
  readonly splits: RunData;
  readonly graph: Graph;
  readonly programs: Programs;
}

async function runSteps(
  options: LoopOptions & { readonly sharing: Sharing },
  { splits, graph, programs }: Opened,
): Promise<TrainResult> {
  const { configuration, folder, engine, signal, sharing } = options;
  const { recipe } = configuration;
  const { store } = programs;
  const { train, validation } = splits;
  const { group } = sharing;
  const replicas = ownReplicas(recipe.replicas, group);
  const stepsPerEpoch = batchesInEpoch(train, recipe.batch, recipe.replicas);
  const totalSteps = Math.max(1, Math.round(recipe.epochs * stepsPerEpoch));
  const counts = summarise(train);
  const classWeights = weightsOf(recipe.classWeights, counts);
  const guessing = guessingLoss(counts, configuration.classes.length);
  const recorder = recordAmong(
    sharing,
    recordEvents(recordInto(folder, { store, graph, configuration, onWarning: options.onWarning }), {
      ...{ folder, configuration, onWarning: options.onWarning },
    }),
  );
  let { position, window, deadSteps } = await firstState(options, { store, graph, recorder });
  await programs.prepare();
  await options.onReady?.({ configuration, step: position.step, stepsPerEpoch });
  // From here on the run has its weights itself, whatever becomes of the file that they came from.
  if (options.startingModel) await recorder.checkpoint(initialState);
  const data = new DataRecorder(isFirst(sharing) ? folder.file(runFiles.data) : undefined, {
    ...splits,
    onWarning: options.onWarning,
  });
  if (options.resume) await data.resume();
  options.onStart?.({ configuration, graph, ...splits, position, totalSteps });
  const batches = batchesOf(train, configuration, {
    start: position,
    replicas,
    reuse: true,
    onBroken: ({ message }, index, name = train.nameOf(index)) =>
      data.skip(name, { reason: message, what: 'another image is used instead' }),
    onNotice: options.onWarning,
  });

  const watch =
    validation && isFirst(sharing)
      ? watchResiduals(graph, { engine, store, configuration, dataset: validation })
      : undefined;
  let trainLoss: number | undefined;
  const now = () => {
    const { step, elapsedSeconds } = position;
    return { step, epoch: step / stepsPerEpoch, elapsedSeconds };
  };
  const evaluate = async (): Promise<EvaluationMetrics | undefined> => {
    if (!validation) return undefined;
    const { predictor } = programs;
    await shareStatistics(store, sharing, configuration);
    const run = { ...options, predictor, watch, train, validation, data, recorder };
    const metrics = await evaluateRun(run, { ...now(), trainLoss });
    if (metrics) options.onEvaluation?.(metrics);
    return metrics;
  };

  /** Drawing the first batch, which is copied at once. */
  let showing: Promise<void> | undefined;
  const logEvery = Math.max(1, Math.round(stepsPerEpoch / 20));
  const recorded = async () =>
    evaluationsOf(await group.fromFirst(isFirst(sharing) ? await folder.metrics() : undefined));
  let evaluations = await recorded();
  const add = (evaluation: EvaluationMetrics | undefined) => {
    if (evaluation) evaluations = [...evaluations, evaluation];
  };
  const wasEvaluated = () => evaluations.some((evaluation) => evaluation.step === position.step);
  const isEvaluated = () => !validation || wasEvaluated();
  let test: TestMetrics | undefined;
  const isEnded = () =>
    position.step === totalSteps ||
    isOutOfPatience(evaluations, { patience: recipe.patience, criterion: configuration.chosenBy });
  const isFinished = () => isEnded() && isEvaluated() && (!splits.test || test !== undefined);
  let saved = performance.now();
  let dyingSteps = 0;
  // Said once in a run, by the process that writes.
  let isWarned =
    !isFirst(sharing) ||
    (await folder.metrics()).some((line) => line.kind === 'train' && line.remark !== undefined);
  // A signal may have come to one of them while all opened their data.
  let isStopping = (await group.gather(signal?.aborted ?? false)).includes(true);
  const images = imagesOfStep(recipe);
  const parameters = parametersOf(graph).map(({ name }) => name);
  const { evaluateEvery = 1, saveEverySteps } = configuration;
  const isDue = () =>
    position.step === totalSteps || (position.position === 0 && position.epoch % evaluateEvery === 0);
  try {
    // An evaluation may have been interrupted, or the model lost.
    if (options.resume && position.step > 0 && isDue() && !wasEvaluated()) add(await evaluate());
    else if (options.resume) {
      await recorder.repairModel(position.step);
      evaluations = await recorded();
    }
    while (!isEnded() && !isStopping && !(group.size === 1 && signal?.aborted)) {
      const begin = performance.now();
      const { epoch, position: batchIndex } = position;
      const learningRate = learningRateAt(position.step, { recipe, stepsPerEpoch });
      const at = { step: position.step, learningRate };
      const wishes = (): Asked => ({
        stop: signal?.aborted ?? false,
        save: isFirst(sharing) && performance.now() - saved > saveEveryMs,
      });
      const own = wishes();
      const { outputs, waited: waitedForBatch } = await runStep({
        ...{ programs, replicas, batches, step: position.step },
        seed: configuration.seed,
        inputsOf: (batch) => {
          if (batch && !showing) {
            showing = recorder.firstBatch(at.step, batch.images);
            // It is waited for after the step.
            showing.catch(() => undefined);
          }
          return stepInputs(batch, { configuration, classWeights, asked: own, ...at });
        },
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
      await showing;
      const measured = readOutputs(outputs, recipe.replicas);
      const where = { step: position.step, learningRate, recipe, folder: folder.path, graph };
      refuseNonFinite(measured, where);
      deadSteps = measured.zeroShare >= 0.999 ? deadSteps + 1 : 0;
      if (deadSteps >= maxDeadSteps) throw new TrainingError(deathNotice(where));
      window = addStep(window, { ...measured, elapsed, waited });
      options.onStep?.({
        step: position.step,
        totalSteps,
        loss: measured.loss,
        error: measured.wrong / images,
        imagesPerSecond: (images / elapsed) * 1000,
      });
      // Processes stop and save after the same step; one alone may be asked to at any moment.
      const agreed = group.size === 1 ? undefined : readAsked(outputs);
      const asked = () => agreed ?? wishes();
      const ended = position.step === totalSteps;
      if (position.step % logEvery === 0 || ended) {
        const epoch = position.step / stepsPerEpoch;
        const means = meansOf(window, { batch: images, position, learningRate, epoch });
        trainLoss = means.loss;
        dyingSteps = isDying(means, guessing) ? dyingSteps + window.steps : 0;
        const { blocks } = evaluations.at(-1) ?? {};
        const remark =
          !isWarned && dyingSteps >= mostDyingSteps
            ? dyingNotice(means, { guessing, blocks, graph })
            : undefined;
        if (remark !== undefined) {
          isWarned = true;
          options.onWarning?.(remark);
        }
        await recorder.steps({ ...means, ...(remark !== undefined && { remark }) });
        window = emptyWindow;
      }
      const due = saveEverySteps !== undefined && position.step % saveEverySteps === 0;
      // Before the evaluation, which is slow and may be interrupted.
      if (ended || last || due || asked().stop || asked().save) {
        await shareStatistics(store, sharing, configuration);
        await compareWeights(store, sharing, { step: position.step, parameters });
        await data.gather(sharing.group);
        await recorder.checkpoint({ position, window, deadSteps });
        saved = performance.now();
      } else if (position.step % compareEvery === 0)
        await compareWeights(store, sharing, { step: position.step, parameters });
      isStopping = asked().stop;
      if (!isStopping && isDue()) {
        const evaluation = await evaluate();
        add(evaluation);
        isStopping = evaluation === undefined && validation !== undefined;
      }
    }
    if (isEnded() && isEvaluated()) {
      const { predictor } = programs;
      const end = { ...options, ...splits, store, graph, predictor, data, recorder };
      const concluded = await concludeRun(end, now());
      test = concluded.test;
      if (test && concluded.isNew) options.onEvaluation?.(test);
    }
    await recorder.finish({ isFinished: isFinished() });
    const summary = data.summary();
    if (summary !== undefined) options.onWarning?.(summary);
    await data.save();
  } catch (error) {
    await refuseLostPeer(sharing, error);
    throw explainSystemError(error, { step: position.step, folder: folder.path });
  } finally {
    // A disk that is full is told already.
    await data.save().catch(() => undefined);
    watch?.release();
    await batches.return(undefined);
  }
  const finished = isFinished();
  return {
    finished,
    stoppedEarly: finished && position.step < totalSteps,
    position,
    evaluation: evaluations.at(-1),
    model: modelOf(evaluations, recipe),
    chosenBy: recipe.keepBest ? (configuration.chosenBy ?? 'top1Error') : undefined,
    test,
  };
}

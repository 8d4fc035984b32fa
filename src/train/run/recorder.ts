/** Everything that a training writes, in one place, so that a worker process can have one that writes nothing. */
import type { Dataset } from '../../data/dataset.ts';
import type { Store } from '../../engine/engine.ts';
import type { Prediction } from '../../evaluate/score.ts';
import type { Graph } from '../../graph/graph.ts';
import { modelMetadata, withFigure } from '../../model/description.ts';
import { runFiles } from '../../model/run-layout.ts';
import { writeCurves } from '../charts/curves.ts';
import { type Configuration, parseConfiguration } from '../configuration/configuration.ts';
import { saveCheckpoint, saveModel } from './checkpoint.ts';
import { writeEvaluation } from './evaluation-record.ts';
import { evaluationsOf, isBetter, modelOf } from './model-choice.ts';
import { modelProblem } from './restore-latest.ts';
import type { EvaluationMetrics, RunFolder, StepMetrics, TestMetrics } from './run-folder.ts';
import type { TrainingState } from './training-state.ts';

interface Results {
  readonly predictions: readonly Prediction[];
  readonly dataset: Dataset;
}

export interface Recorder {
  /** Drops what an interrupted process left behind, and metrics written after the step from which a run resumes. */
  rewind(step: number): Promise<void>;
  /** Writes the model again if it was lost after its evaluation and the store still holds it. */
  repairModel(step: number): Promise<void>;
  /** The images of the first batch that this process trains on, [n, height, width, 3], as the network is given them. */
  firstBatch(step: number, images: Uint8Array): Promise<void>;
  steps(metrics: StepMetrics): Promise<void>;
  /** Saves everything needed to resume from here. */
  checkpoint(state: TrainingState): Promise<void>;
  /**
   * Writes the evaluated averaged weights and the results on the validation images: as the model, if it is the last one that counts or
   * this is the best one, which the metrics that are returned then say.
   */
  evaluation(metrics: EvaluationMetrics, results: Results): Promise<EvaluationMetrics>;
  /** Writes the averaged weights of a training without validation images as the model. */
  model(step: number): Promise<void>;
  /** Writes the score on the test images; the results too, if there has been no evaluation. */
  test(metrics: TestMetrics, results: Results): Promise<void>;
  /** Writes the curves of the whole run; one that was stopped goes on when it is resumed. */
  finish(at: { readonly isFinished: boolean }): Promise<void>;
}

/** A recorder for a run folder. */
export function recordInto(
  folder: RunFolder,
  {
    store,
    graph,
    configuration,
    onWarning = () => {},
  }: {
    store: Store;
    graph: Graph;
    configuration: Configuration;
    onWarning?: ((message: string) => void) | undefined;
  },
): Recorder {
  const metadata = modelMetadata(configuration);
  // In the order of keys that config.json is read in, so that a resumed training writes the same bytes.
  const recorded = JSON.stringify(
    parseConfiguration(JSON.stringify(withFigure(configuration)), runFiles.configuration),
  );
  const { keepBest } = configuration.recipe;
  /** With `keepBest`: the evaluation whose averages the model holds. */
  let chosen: EvaluationMetrics | undefined;
  const writeModel = (step: number, file: 'model' | 'last' = 'model') =>
    saveModel(folder.file(runFiles[file]), {
      store,
      graph,
      step,
      metadata: { ...metadata, configuration: recorded },
    });
  return {
    rewind: async (step) => {
      await folder.removeIncomplete();
      await folder.removeOldCheckpoints();
      const unreadable = await folder.truncateMetrics(step);
      if (unreadable > 0)
        onWarning(`${folder.file(runFiles.metrics)}: ${unreadable} lines that are no metrics were dropped`);
      const expected = modelOf(await folder.metrics(), { keepBest });
      // A kill may have left a model whose evaluation is not recorded: the next one is then compared with none.
      const lost = expected && (await modelProblem(folder, { step: expected.step })) !== undefined;
      chosen = lost ? undefined : expected;
    },
    repairModel: async (step) => {
      const metrics = await folder.metrics();
      const [evaluated, model] = [evaluationsOf(metrics).at(-1), modelOf(metrics, { keepBest })];
      if (!evaluated || !model) return;
      const isHere = step === evaluated.step;
      const repair = isHere ? 'has been written again' : 'will be written at the next evaluation';
      const problem = await modelProblem(folder, { step: model.step });
      if (problem !== undefined) {
        const isGone = isHere && model.step !== step;
        if (isHere) await writeModel(step);
        if (isGone) {
          chosen = { ...evaluated, chosen: true };
          await folder.append(chosen);
        }
        onWarning(
          isGone
            ? `${problem}; the weights of that evaluation are lost, and those of the last one, after step ${step}, have been written in their place`
            : `${problem}; it ${repair}`,
        );
      }
      if (!keepBest) return;
      const lastProblem = await modelProblem(folder, { step: evaluated.step, file: 'last' });
      if (lastProblem === undefined) return;
      if (isHere) await writeModel(step, 'last');
      onWarning(`${lastProblem}; it ${repair}`);
    },
    firstBatch: async () => undefined,
    steps: (metrics) => folder.append(metrics),
    checkpoint: async (state) => {
      await saveCheckpoint(folder.checkpoint(state.position.step), {
        store,
        graph,
        optimizer: configuration.recipe.optimizer,
        state,
        metadata,
      });
      await folder.removeOldCheckpoints();
    },
    evaluation: async (metrics, { predictions, dataset }) => {
      const { step, epoch } = metrics;
      const isModel = !keepBest || chosen === undefined || isBetter(metrics, chosen, configuration.chosenBy);
      const written: EvaluationMetrics = keepBest && isModel ? { ...metrics, chosen: true } : metrics;
      if (isModel) await writeEvaluation(folder, predictions, { dataset, split: 'validation', step, epoch });
      // The line comes last: it says that everything else of this evaluation is there.
      if (isModel) await writeModel(step);
      if (keepBest) await writeModel(step, 'last');
      await folder.append(written);
      if (isModel) chosen = written;
      return written;
    },
    model: writeModel,
    test: async (metrics, { predictions, dataset }) => {
      const { step, epoch } = metrics;
      if (evaluationsOf(await folder.metrics()).length === 0)
        await writeEvaluation(folder, predictions, { dataset, split: 'test', step, epoch });
      await folder.append(metrics);
    },
    finish: () => writeCurves(folder),
  };
}

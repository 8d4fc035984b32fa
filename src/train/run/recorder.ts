/** Everything that a training writes, in one place, so that a worker process can have one that writes nothing. */
import type { Dataset } from '../../data/dataset.ts';
import type { Store } from '../../engine/engine.ts';
import type { Prediction } from '../../evaluate/score.ts';
import type { Graph } from '../../graph/graph.ts';
import { modelMetadata, withFigure } from '../../model/description.ts';
import { runFiles } from '../../model/run-layout.ts';
import { type Configuration, parseConfiguration } from '../configuration/configuration.ts';
import { saveCheckpoint, saveModel } from './checkpoint.ts';
import { writeCurves } from './curves.ts';
import { writeEvaluation } from './evaluation-record.ts';
import { modelProblem } from './restore-latest.ts';
import type { EvaluationMetrics, RunFolder, StepMetrics } from './run-folder.ts';
import type { TrainingState } from './training-state.ts';

export interface Recorder {
  /** Drops what an interrupted process left behind, and metrics written after the step from which a run resumes. */
  rewind(step: number): Promise<void>;
  /** Writes the model again if it was lost after its evaluation and the store still holds it. */
  repairModel(step: number): Promise<void>;
  steps(metrics: StepMetrics): Promise<void>;
  /** Saves everything needed to resume from here. */
  checkpoint(state: TrainingState): Promise<void>;
  /** Writes the results on the test split, and the evaluated averaged weights as the model. */
  evaluation(
    metrics: EvaluationMetrics,
    results: { readonly predictions: readonly Prediction[]; readonly dataset: Dataset },
  ): Promise<void>;
  /** Writes the curves of the whole run. */
  finish(): Promise<void>;
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
  const writeModel = (step: number) =>
    saveModel(folder.file(runFiles.model), {
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
    },
    repairModel: async (step) => {
      const evaluated = (await folder.metrics()).findLast(({ kind }) => kind === 'evaluation')?.step;
      const problem = evaluated === undefined ? undefined : await modelProblem(folder, evaluated);
      if (problem === undefined) return;
      if (step === evaluated) await writeModel(step);
      const repair = step === evaluated ? 'has been written again' : 'will be written at the next evaluation';
      onWarning(`${problem}; it ${repair}`);
    },
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
      await writeEvaluation(folder, predictions, { dataset, step, epoch });
      // The line comes last: it says that everything else of this evaluation is there.
      await writeModel(step);
      await folder.append(metrics);
    },
    finish: () => writeCurves(folder),
  };
}

/** Everything that a training writes, in one place, so that a worker process can have one that writes nothing. */
import type { Dataset } from '../../data/dataset.ts';
import type { Store } from '../../engine/engine.ts';
import type { Prediction } from '../../evaluate/score.ts';
import type { Graph } from '../../graph/graph.ts';
import { modelMetadata } from '../../model/description.ts';
import { runFiles } from '../../model/run-layout.ts';
import type { Configuration } from '../configuration.ts';
import { type Position, saveCheckpoint, saveModel } from './checkpoint.ts';
import { writeCurves } from './curves.ts';
import { writeEvaluation } from './evaluation-record.ts';
import type { EvaluationMetrics, RunFolder, StepMetrics } from './run-folder.ts';

export interface Recorder {
  /** Drops metrics written after the step from which a run resumes. */
  rewind(step: number): Promise<void>;
  steps(metrics: StepMetrics): Promise<void>;
  /** Saves everything needed to resume from here. */
  checkpoint(position: Position): Promise<void>;
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
  { store, graph, configuration }: { store: Store; graph: Graph; configuration: Configuration },
): Recorder {
  const metadata = modelMetadata(configuration);
  return {
    rewind: (step) => folder.truncateMetrics(step),
    steps: (metrics) => folder.append(metrics),
    checkpoint: async (position) => {
      await saveCheckpoint(folder.checkpoint(position.step), {
        store,
        graph,
        optimizer: configuration.recipe.optimizer,
        position,
        metadata,
      });
      await folder.removeOldCheckpoints();
    },
    evaluation: async (metrics, { predictions, dataset }) => {
      const { step, epoch } = metrics;
      await writeEvaluation(folder, predictions, { dataset, step, epoch });
      await folder.append(metrics);
      await saveModel(folder.file(runFiles.model), {
        store,
        graph,
        metadata: { ...metadata, configuration: JSON.stringify(configuration) },
      });
    },
    finish: () => writeCurves(folder),
  };
}

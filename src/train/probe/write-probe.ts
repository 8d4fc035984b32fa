/** Writes a probe as a run: an ordinary model, its configuration, and its evaluation on the validation images. */
import type { Dataset } from '../../data/dataset.ts';
import { predictionOf, scoreOf } from '../../evaluate/score.ts';
import type { FeatureTable } from '../../features/compute-features.ts';
import { classifierParameters, type Graph, type Parameter, parametersOf } from '../../graph/graph.ts';
import { modelMetadata, withFigure } from '../../model/description.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { nonFinite } from '../../model/non-finite.ts';
import { probabilitiesOf } from '../../probe/apply-probe.ts';
import type { Probe } from '../../probe/fit-probe.ts';
import { writeSafetensors } from '../../weights/safetensors/safetensors.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { writeEvaluation } from '../run/evaluation-record.ts';
import type { EvaluationMetrics, RunFolder, TestMetrics } from '../run/run-folder.ts';
import { TrainingError } from '../training-error.ts';

/** The starting model with the probe's classifier; parts after the probe's are not in the graph and left out. */
export async function writeProbeModel(
  path: string,
  {
    configuration,
    graph,
    starting,
    probe,
  }: { configuration: Configuration; graph: Graph; starting: ModelFile; probe: Probe },
): Promise<void> {
  const classifier = new Set(classifierParameters(graph).map(({ name }) => name));
  const theirs = new Map(parametersOf(starting.graph).map((parameter) => [parameter.name, parameter]));
  const valuesOf = async ({ name, role }: Parameter): Promise<Float32Array> => {
    if (classifier.has(name)) return role === 'linearBias' ? probe.bias : probe.weight;
    return starting.read(theirs.get(name) as Parameter);
  };
  await writeSafetensors(path, {
    tensors: parametersOf(graph).map((parameter) => ({
      name: parameter.name,
      dtype: 'F32',
      shape: parameter.shape,
      read: async () => {
        const values = await valuesOf(parameter);
        const problem = nonFinite(parameter.name, values);
        if (problem) throw new TrainingError(`${problem}; no model was written`);
        return values;
      },
    })),
    metadata: {
      ...modelMetadata(configuration),
      configuration: JSON.stringify(withFigure(configuration)),
      step: '0',
    },
    checksums: true,
  });
}

/**
 * Scores the probe on images whose features are known: its model gives the same to rounding. The images of `record` are those of the
 * dashboard.
 */
export async function writeProbeScore<Kind extends 'evaluation' | 'test'>(
  folder: RunFolder,
  {
    kind,
    probe,
    table,
    dataset,
    seconds,
    record,
  }: {
    kind: Kind;
    probe: Probe;
    table: FeatureTable;
    dataset: Dataset;
    seconds: number;
    record: boolean;
  },
): Promise<Extract<EvaluationMetrics | TestMetrics, { kind: Kind }>> {
  const values = table.parts.find(({ part }) => part.name === probe.part.name)?.values as Float32Array;
  const predictions = [...probabilitiesOf(probe, values)].map((probabilities, row) => {
    const index = table.indices[row] as number;
    return predictionOf(probabilities, { index, label: dataset.label(index) });
  });
  const { loss, top1Error, top5Error, balancedAccuracy } = scoreOf(predictions);
  const [step, epoch] = [0, 0];
  const split = kind === 'test' ? 'test' : 'validation';
  if (record) await writeEvaluation(folder, predictions, { dataset, split, step, epoch });
  const skipped = dataset.length - predictions.length;
  const metrics = {
    kind,
    step,
    epoch,
    [`${split}Loss`]: loss,
    top1Error,
    top5Error,
    balancedAccuracy,
    elapsedSeconds: seconds,
    ...(skipped > 0 && { skipped }),
  } as unknown as Extract<EvaluationMetrics | TestMetrics, { kind: Kind }>;
  await folder.append(metrics);
  return metrics;
}

/** A probe as a run: features once, a classifier solved on them, an ordinary model. */

import { describeReport, summarise } from '../../data/data-report.ts';
import type { Dataset } from '../../data/dataset.ts';
import type { Device, Engine } from '../../engine/engine.ts';
import { openTorch } from '../../engine/torch.ts';
import { defaultFeatureCache } from '../../features/feature-cache.ts';
import { type FeatureModel, loadFeatureModel } from '../../features/feature-model.ts';
import { candidateParts, findPart, isClassifierInput, type Part } from '../../features/parts.ts';
import type { Graph } from '../../graph/graph.ts';
import { graphOf, networkOf } from '../../model/description.ts';
import type { Notices } from '../../model/model-file.ts';
import { runFiles } from '../../model/run-layout.ts';
import { cutNetwork } from '../../networks/cut-network.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { createConfiguration, type NewRun } from '../configuration/create-configuration.ts';
import { DataRecorder } from '../data-record.ts';
import { openSplit } from '../open-run.ts';
import { type ClassWeights, weightsOf } from '../recipe/class-weights.ts';
import { type EvaluationMetrics, RunFolder } from '../run/run-folder.ts';
import { openStartingWeights, type StartingWeights } from '../starting/starting-weights.ts';
import { measureProbes } from './measure-probe.ts';
import { describeProbe, type ProbeRecord, recordOf } from './probe-record.ts';
import { writeProbeEvaluation, writeProbeModel } from './write-probe.ts';

/** Every part that is worth a try, instead of the name of one. */
export const everyPart = 'auto';

/** How a probe is made. */
export interface ProbeOptions
  extends Notices,
    Pick<NewRun, 'data' | 'precision' | 'limitTrain' | 'limitTest'> {
  /** A model with weights: a run folder, a file of any ecosystem, `hub:owner/name`. */
  readonly weights: string;
  /** The run folder to create; it must not already hold a run. */
  readonly out: string;
  /** `classifier`, its input (default); the name of a part, as `inceptionB`; or `auto`: the one with the smallest validation error. */
  readonly features?: string | undefined;
  readonly classWeights?: ClassWeights | undefined;
  /** Where features are kept. Default: in the user's cache folder. */
  readonly cache?: string | undefined;
  readonly device?: Device | 'auto' | undefined;
  readonly threads?: number | undefined;
  /** An engine to use; it stays open. Default: a new one. */
  readonly engine?: Engine | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called for every image whose features are computed. */
  readonly onImage?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface ProbeResult {
  readonly folder: string;
  readonly configuration: Configuration;
  readonly probe: ProbeRecord;
  /** On the validation images, if there are any. */
  readonly evaluation: EvaluationMetrics | undefined;
}

/**
 * Trains nothing but a new classifier of a model: the features of every image are computed once and kept, and a softmax regression
 * with L2 regularisation on them is solved, its strength chosen on the validation images. The run that it writes is one like any other.
 * @throws as `train`; of the signal if it is aborted, which keeps the features that are computed.
 */
export async function probe(options: ProbeOptions): Promise<ProbeResult> {
  const folder = new RunFolder(options.out);
  await folder.refuseExisting();
  const starting = await openStartingWeights(options.weights, options);
  const { device = 'auto', threads } = options;
  const engine = options.engine ?? openTorch({ device, ...(threads !== undefined && { threads }) });
  try {
    return await probeOn(engine, { ...options, folder, starting });
  } finally {
    await folder.unlock();
    await starting.model.close();
    if (!options.engine) await engine.close();
  }
}

async function probeOn(
  engine: Engine,
  options: ProbeOptions & { readonly folder: RunFolder; readonly starting: StartingWeights },
): Promise<ProbeResult> {
  const { folder, starting, onNotice, onImage, signal, classWeights = 'none', features } = options;
  const begin = performance.now();
  const base = await createConfiguration(
    { ...options, recipe: { freeze: 'all', classWeights } },
    engine.facts,
    { starting },
  );
  const open = { configuration: base, folder, resume: false };
  const [train, validation] = [await openSplit(open, 'train'), await openSplit(open, 'validation')];
  for (const line of new Set([...describeReport(train), ...describeReport(validation)])) onNotice?.(line);
  const parts = partsOf(starting.model.graph, features);
  const skipped: { dataset: Dataset; index: number; reason: string }[] = [];
  const model = await loadFeatureModel(starting.model, { engine, precision: base.precision });
  const measured = await measureAndRelease(model, () =>
    measureProbes({
      engine,
      model,
      parts,
      train,
      validation,
      classWeights: listOf(weightsOf(classWeights, summarise(train))),
      cache: options.cache ?? defaultFeatureCache(),
      onNotice,
      onBroken: (dataset, index, { message }) => skipped.push({ dataset, index, reason: message }),
      ...(onImage && { onImage }),
      ...(signal && { signal }),
    }),
  );
  const [best] = measured.probes;
  const record = recordOf(measured.probes, { isModel: true });
  for (const line of describeProbe(record)) onNotice?.(line);
  const { configuration, graph } = configurationOf(base, { part: best.part, record, starting });
  await folder.lock();
  await folder.create(configuration);
  const data = new DataRecorder(folder.file(runFiles.data), { train, test: validation, onWarning: onNotice });
  for (const { dataset, index, reason } of skipped)
    data.skip(dataset.nameOf(index), { reason, what: 'it is left out' });
  await data.save();
  await writeProbeModel(folder.file(runFiles.model), {
    configuration,
    graph,
    starting: starting.model,
    probe: best,
  });
  const seconds = (performance.now() - begin) / 1000;
  const evaluation =
    measured.validation &&
    (await writeProbeEvaluation(folder, {
      probe: best,
      table: measured.validation,
      dataset: validation,
      seconds,
    }));
  return { folder: folder.path, configuration, probe: record, evaluation };
}

/** The parts that `features` names. @throws UsageError for one at which a network cannot end. */
function partsOf(graph: Graph, features: string | undefined): readonly Part[] {
  return features === everyPart ? candidateParts(graph) : [findPart(graph, features)];
}

async function measureAndRelease<Result>(
  model: FeatureModel,
  measure: () => Promise<Result>,
): Promise<Result> {
  try {
    return await measure();
  } finally {
    model.release();
  }
}

const listOf = (weights: Float32Array | undefined): readonly number[] | undefined => weights && [...weights];

/** The run's configuration: of the starting network, or of that network cut after the part. */
function configurationOf(
  base: Configuration,
  { part, record, starting }: { part: Part; record: ProbeRecord; starting: StartingWeights },
): { configuration: Configuration; graph: Graph } {
  const { weights, recipe, classes } = base;
  const isWhole = isClassifierInput(starting.model.graph, part);
  const cut = isWhole ? {} : cutOf(base, part);
  const configuration: Configuration = {
    ...base,
    ...cut,
    // No step is taken: the recipe holds for nothing but how classes are weighed.
    recipe: { ...recipe, name: 'probe', keepBest: false, patience: null },
    ...(weights && { weights: { ...weights, kept: [], reinitialised: classes } }),
    probe: record,
  };
  return { configuration, graph: graphOf(configuration) };
}

function cutOf(base: Configuration, part: Part) {
  const { network, options } = cutNetwork(networkOf(base), { part: part.name, options: base.options });
  return { network: network.name, figure: network, options };
}

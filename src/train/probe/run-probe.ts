/** A probe as a run: features once, a classifier solved on them, an ordinary model. */

import { describeReport, summarise } from '../../data/data-report.ts';
import type { Dataset } from '../../data/dataset.ts';
import type { Device, Engine } from '../../engine/engine.ts';
import { openTorch } from '../../engine/torch.ts';
import { defaultFeatureCache } from '../../features/feature-cache.ts';
import { loadFeatureModel } from '../../features/feature-model.ts';
import { candidateParts, findPart, isClassifierInput, type Part } from '../../features/parts.ts';
import type { Graph } from '../../graph/graph.ts';
import { graphOf, networkOf } from '../../model/description.ts';
import type { Notices } from '../../model/model-file.ts';
import { runFiles } from '../../model/run-layout.ts';
import { cutNetwork } from '../../networks/cut-network.ts';
import type { NetworkOptions } from '../../networks/network-options.ts';
import { addRunCard } from '../card/write-card.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { createConfiguration, type NewRun } from '../configuration/create-configuration.ts';
import { machineOf } from '../configuration/machine.ts';
import { DataRecorder } from '../data-record.ts';
import { EventFile } from '../events/event-file.ts';
import { type ClassWeights, weightsOf } from '../recipe/class-weights.ts';
import { type EvaluationMetrics, RunFolder, type TestMetrics } from '../run/run-folder.ts';
import { openRunData } from '../run-data.ts';
import { openStartingWeights, type StartingWeights } from '../starting/starting-weights.ts';
import { availableBytes } from '../trial/available-memory.ts';
import { atInputSizeOf } from './at-input-size.ts';
import { measureProbes, tableOfSplit } from './measure-probe.ts';
import { partsThatFit } from './plan-parts.ts';
import { describeProbe, type ProbeRecord, recordOf } from './probe-record.ts';
import { writeProbeModel, writeProbeScore } from './write-probe.ts';

/** Every part that is worth a try, instead of the name of one. */
const everyPart = 'auto';

/** How a probe is made. */
export interface ProbeOptions
  extends Notices,
    Pick<NewRun, 'data' | 'precision' | 'validation' | 'limitTrain' | 'limitValidation' | 'limitTest'> {
  /** A model with weights: a run folder, a file of any ecosystem, `hub:owner/name`. */
  readonly weights: string;
  /** The run folder to create; it must not already hold a run. */
  readonly out: string;
  /** `classifier`, its input (default); the name of a part, as `inceptionB`; or `auto`: the one with the smallest validation error. */
  readonly features?: string | undefined;
  readonly classWeights?: ClassWeights | undefined;
  /** Of the network's options, the input size may be another than the weights'. */
  readonly options?: Pick<NetworkOptions, 'inputSize'> | undefined;
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

/** What a probe has measured and written. */
export interface ProbeResult {
  readonly folder: string;
  readonly configuration: Configuration;
  readonly probe: ProbeRecord;
  /** On the validation images, if there are any. */
  readonly evaluation: EvaluationMetrics | undefined;
  /** On the test images, if there are any. */
  readonly test: TestMetrics | undefined;
}

/** @throws the errors of `probe`. */
export async function runProbe(options: ProbeOptions): Promise<ProbeResult> {
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
  const recipe = { freeze: 'all', classWeights };
  const network = { options: options.options ?? {} };
  const base = await createConfiguration({ ...options, ...network, recipe }, engine.facts, { starting });
  for (const line of base.weights?.changed ?? []) if (line.startsWith('inputSize')) onNotice?.(line);
  const images = await openRunData({ configuration: base, folder, resume: false, onWarning: onNotice });
  const { train, validation, test } = images;
  const splits = [train, validation, test].filter((split) => split !== undefined);
  for (const split of splits)
    onNotice?.(`data: ${split.name}, ${split.length.toLocaleString('en-US')} images`);
  for (const line of new Set(splits.flatMap(describeReport))) onNotice?.(line);
  const target = graphOf(base);
  // In the starting model's own graph: the target may have no hidden layers, and another node before its classifier.
  const wanted = partsOf(starting.model.graph, features);
  // One at which no network can end is refused before an image is read.
  for (const { name } of wanted) networkTo(findPart(target, name), { base, target });
  const { parts, notices } = partsThatFit(wanted, {
    images: train.length + (validation?.length ?? 0),
    classes: train.classes.length,
    availableBytes: await availableBytes('cpu'),
  });
  for (const line of notices) onNotice?.(line);
  const skipped: { file: string; reason: string }[] = [];
  const model = await loadFeatureModel(atInputSizeOf(base, starting.model), {
    engine,
    precision: base.precision,
  });
  const common = {
    model,
    cache: options.cache ?? defaultFeatureCache(),
    onNotice,
    onBroken: (dataset: Dataset, index: number, { message }: Error) =>
      skipped.push({ file: dataset.nameOf(index), reason: message }),
    ...(onImage && { onImage }),
    ...(signal && { signal }),
  };
  try {
    const weights = weightsOf(classWeights, summarise(train));
    const { probes, validation: validationTable } = await measureProbes({
      ...common,
      engine,
      train,
      validation,
      parts,
      classWeights: weights && [...weights],
    });
    const [best] = probes;
    const record = recordOf(probes, { isModel: true });
    for (const line of describeProbe(record)) onNotice?.(line);
    // The test images are looked at when everything is decided.
    const testTable = test && (await tableOfSplit(test, { ...common, parts: [best.part] }));
    const { configuration, graph } = configurationOf(base, {
      part: findPart(target, best.part.name),
      record,
      target,
    });
    await folder.lock();
    await folder.create({ ...configuration, machine: machineOf(engine.facts) });
    const data = new DataRecorder(folder.file(runFiles.data), { ...images, onWarning: onNotice });
    for (const { file, reason } of skipped) data.skip(file, { reason, what: 'it is left out' });
    await data.save();
    await writeProbeModel(folder.file(runFiles.model), {
      configuration,
      graph,
      starting: starting.model,
      probe: best,
    });
    const seconds = (performance.now() - begin) / 1000;
    const scored = { probe: best, seconds };
    const evaluation =
      validation &&
      validationTable &&
      (await writeProbeScore(folder, {
        ...scored,
        kind: 'evaluation',
        table: validationTable,
        dataset: validation,
        record: true,
      }));
    const testScore =
      test &&
      testTable &&
      (await writeProbeScore(folder, {
        ...scored,
        kind: 'test',
        table: testTable,
        dataset: test,
        record: evaluation === undefined,
      }));
    const events = await EventFile.begin(folder.path, { configuration, metrics: await folder.metrics() });
    await events.end(0);
    const say = (line: string) => onNotice?.(line);
    await addRunCard(folder.path, { onNotice: say, onWarning: say });
    return { folder: folder.path, configuration, probe: record, evaluation, test: testScore };
  } finally {
    model.release();
  }
}

/** The parts that `features` names. @throws UsageError for one that the network does not have. */
function partsOf(graph: Graph, features: string | undefined): readonly [Part, ...Part[]] {
  return features === everyPart
    ? (candidateParts(graph) as readonly Part[] as [Part, ...Part[]])
    : [findPart(graph, features)];
}

/** The run's configuration: of the starting network, or of that network cut after the part. */
function configurationOf(
  base: Configuration,
  { part, record, target }: { part: Part; record: ProbeRecord; target: Graph },
): { configuration: Configuration; graph: Graph } {
  // What was decided is about epochs and batches, and a probe has none.
  const { decisions: _steps, evaluateEvery: _every, chosenBy: _criterion, ...rest } = base;
  const { weights, recipe, classes } = rest;
  const configuration: Configuration = {
    ...rest,
    ...networkTo(part, { base, target }),
    // It holds for nothing but how classes are weighed.
    recipe: { ...recipe, name: 'probe', keepBest: false, patience: null },
    ...(weights && { weights: { ...weights, kept: [], reinitialised: classes } }),
    probe: record,
  };
  return { configuration, graph: graphOf(configuration) };
}

/** The starting network without the hidden layers of the classifier that is replaced, or cut after the part. @throws NetworkOptionError */
function networkTo(part: Part, { base, target }: { base: Configuration; target: Graph }) {
  const { hidden: _, ...own } = base.options;
  if (isClassifierInput(target, part)) return { options: own };
  const { network, options } = cutNetwork(networkOf(base), { part: part.name, options: base.options });
  return { network: network.name, figure: network, options };
}

/** Probes and trainings: a probe before a fine-tuning tells what that brings; a training of the classifier alone is a probe. */
import { summarise } from '../../data/data-report.ts';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../errors.ts';
import { defaultFeatureCache } from '../../features/feature-cache.ts';
import { loadFeatureModel } from '../../features/feature-model.ts';
import { findPart } from '../../features/parts.ts';
import { allParts } from '../../graph/parts.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { weightsOf } from '../recipe/class-weights.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { openRunData } from '../run-data.ts';
import type { StartingWeights } from '../starting/starting-weights.ts';
import type { TrainOptions } from '../train-options.ts';
import { atInputSizeOf } from './at-input-size.ts';
import { measureProbes } from './measure-probe.ts';
import { describeProbe, type ProbeRecord, recordOf } from './probe-record.ts';

/** Of the training's time, at most: a step goes forward once and costs three times that with its gradients. */
const maxShare = 0.1;

const percentOf = (share: number): string => `${Math.round(100 * share)}%`;

interface Before {
  readonly engine: Engine;
  readonly folder: RunFolder;
  readonly starting: StartingWeights;
  readonly onNotice: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Neighbours and a probe on the features that a fine-tuning begins with, where that takes a tenth of its time or less. Undefined
 * where it does not, cannot be made, or the training has to end within a time, which is said; and if it is interrupted.
 */
export async function probeBefore(
  configuration: Configuration,
  { engine, folder, starting, onNotice, signal }: Before,
): Promise<ProbeRecord | undefined> {
  if (configuration.fitted?.time) {
    onNotice(
      "no probe before this training: its time is that of the training alone; 'inception probe' makes one",
    );
    return undefined;
  }
  const { train, validation } = await openRunData({ configuration, folder, resume: false });
  if (train.stream) {
    onNotice(`no probe before this training: ${train.name} is a stream, which is read once an epoch`);
    return undefined;
  }
  const passes = (train.length + (validation?.length ?? 0)) / train.length;
  const share = passes / (3 * configuration.recipe.epochs);
  if (share > maxShare) {
    onNotice(
      `no probe before this training: it would take about ${percentOf(share)} of its time; 'inception probe' makes one`,
    );
    return undefined;
  }
  const begins = atInputSizeOf(configuration, starting.model);
  const model = await loadFeatureModel(begins, { engine, precision: configuration.precision });
  try {
    const classWeights = weightsOf(configuration.recipe.classWeights, summarise(train));
    const { probes } = await measureProbes({
      engine,
      model,
      train,
      validation,
      classWeights: classWeights && [...classWeights],
      // In the model's own graph: the training's may have no hidden layers, and another node before its classifier.
      parts: [findPart(model.graph)],
      cache: defaultFeatureCache(),
      onNotice,
      signal,
      // The training names them itself.
      onBroken: () => undefined,
    });
    const record = recordOf(probes, { isModel: false });
    for (const line of describeProbe(record)) onNotice(`before the training: ${line}`);
    return record;
  } catch (error) {
    if (signal.aborted) return undefined;
    if (!(error instanceof UsageError)) throw error;
    // What a probe cannot learn from, a training may.
    onNotice(`no probe before this training: ${error.message}`);
    return undefined;
  } finally {
    model.release();
  }
}

/** What a training of the classifier alone may be given and still be a probe. */
const options: ReadonlySet<string> = new Set([
  ...[
    'weights',
    'network',
    'data',
    'out',
    'recipe',
    'precision',
    'probe',
    'device',
    'threads',
    'engine',
    'signal',
  ],
  ...['validation', 'limitTrain', 'limitValidation', 'limitTest'],
  // Who trains, and whether again: the command line always says both.
  ...['group', 'goOn'],
]);
const ofRecipe: ReadonlySet<string> = new Set(['freeze', 'classWeights']);

const ofNetwork: ReadonlySet<string> = new Set(['inputSize']);

/** Whether a training is of the classifier alone, and nothing that is asked of it needs steps. */
export const isProbe = (training: TrainOptions): boolean =>
  isOfClassifier(training) && needingSteps(training).length === 0;

/** Whether a training from weights leaves the classifier alone to train. */
export const isOfClassifier = ({ weights, recipe }: TrainOptions): boolean =>
  weights !== undefined && typeof recipe === 'object' && recipe.freeze === allParts;

/** What of the options only a training by steps can do, by their names. */
export function needingSteps({
  recipe,
  options: networkOptions = {},
  ...rest
}: TrainOptions): readonly string[] {
  const { name = 'fine-tune', ...numbers } = typeof recipe === 'object' ? recipe : {};
  const left = (given: object, known: ReadonlySet<string>) =>
    Object.entries(given)
      .filter(([key, value]) => !known.has(key) && !isNothing(value))
      .map(([key]) => key);
  return [
    ...(name === 'fine-tune' ? [] : ['recipe']),
    ...left(rest, options),
    ...left(numbers, ofRecipe),
    ...left(networkOptions, ofNetwork),
  ];
}

const isNothing = (value: unknown): boolean =>
  value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);

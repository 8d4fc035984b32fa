/** What may change when a run is resumed. Pure: gives the configuration to go on with, and what to say and record. */
import { absoluteSource } from '../../data/sources/absolute-source.ts';
import type { EngineFacts } from '../../engine/engine.ts';
import { UsageError } from '../../errors.ts';
import { checkOptions } from '../../option.ts';
import { packageVersion } from '../../version.ts';
import { learningRateAt } from '../recipe/recipe.ts';
import { recipeNumbers } from '../recipe/recipe-options.ts';
import type { ResumeOptions } from '../train-options.ts';
import type { Configuration, ConfigurationChange } from './configuration.ts';
import { runNumbers } from './run-options.ts';

/** Options of `train` beside `resume`; the run's configuration has all others. */
const accepted: { readonly [K in Exclude<keyof ResumeOptions, 'resume'>]-?: true } = {
  network: true,
  data: true,
  recipe: true,
  device: true,
  threads: true,
  evaluateEvery: true,
  saveEverySteps: true,
  engine: true,
  signal: true,
  group: true,
};
const acceptedOfRecipe: { readonly [K in keyof Required<ResumeOptions>['recipe']]-?: true } = {
  epochs: true,
  learningRate: true,
};

const cannotChange = (name: string): string =>
  `${name}: cannot change when a run is resumed; only more epochs, a lower learning rate, the folder of the same data, the device, the threads and how often it is evaluated and saved can`;

/**
 * The configuration of a resumed run with its changes.
 * @throws UsageError naming an option that cannot change, or that would be fewer epochs or a higher learning rate.
 */
export function continued(configuration: Configuration, options: ResumeOptions): Configuration {
  const { resume, network, data, recipe: { ...changes } = {}, evaluateEvery, saveEverySteps } = options;
  for (const [name, value] of Object.entries(options))
    if (name !== 'resume' && value !== undefined && !Object.hasOwn(accepted, name))
      throw new UsageError(cannotChange(name));
  for (const [name, value] of Object.entries(changes))
    if (value !== undefined && !Object.hasOwn(acceptedOfRecipe, name))
      throw new UsageError(cannotChange(`recipe.${name}`));
  checkOptions(recipeNumbers, changes, { what: 'recipe option', Failure: UsageError });
  checkOptions(
    runNumbers,
    { evaluateEvery, saveEvery: saveEverySteps },
    { what: 'option', Failure: UsageError },
  );
  if (evaluateEvery !== undefined && configuration.validation === 0)
    throw new UsageError(`option 'evaluateEvery': has no effect: ${resume} has no validation images`);
  if (configuration.probe?.isModel)
    throw new UsageError(
      `${resume} is a probe: its classifier is solved, and there are no steps to go on with; 'inception train --weights ${resume}' fine-tunes it`,
    );
  if (network !== undefined && network !== configuration.network)
    throw new UsageError(`${resume} trains ${configuration.network}, not ${network}`);
  const { recipe } = configuration;
  const { epochs = recipe.epochs, learningRate = recipe.learningRate } = changes;
  if (epochs < recipe.epochs)
    throw new UsageError(
      `epochs: the run has ${recipe.epochs}; a resumed run takes the same number or more, received ${epochs}`,
    );
  if (learningRate > recipe.learningRate)
    throw new UsageError(
      `learning rate: the run has ${recipe.learningRate}; a resumed run takes the same rate or a lower one, received ${learningRate}`,
    );
  return {
    ...configuration,
    ...(data !== undefined && { data: absoluteSource(data) }),
    recipe: { ...recipe, epochs, learningRate },
    ...(evaluateEvery !== undefined && { evaluateEvery }),
    ...(saveEverySteps !== undefined && { saveEverySteps }),
  };
}

/** What the engine and the program are now, where results depend on it. */
export const onEngine = (
  configuration: Configuration,
  { device, threads, libtorch }: Pick<EngineFacts, 'device' | 'threads' | 'libtorch'>,
  processes = 1,
): Configuration => ({
  ...configuration,
  device,
  threads,
  ...((processes > 1 || configuration.processes !== undefined) && { processes }),
  versions: { ...configuration.versions, libtorch, inception: packageVersion },
});

const recorded = (configuration: Configuration): Readonly<Record<string, string | number>> => ({
  epochs: configuration.recipe.epochs,
  'learning rate': configuration.recipe.learningRate,
  data: configuration.data,
  // It decides which averages are compared where the best are the model, and when patience ends.
  'epochs between evaluations': configuration.evaluateEvery ?? 1,
  device: configuration.device,
  threads: configuration.threads,
  processes: configuration.processes ?? 1,
  libtorch: configuration.versions.libtorch,
  inception: configuration.versions.inception,
});

/** What has changed, for config.json. `step` is the number of completed steps. */
export function changesBetween(
  before: Configuration,
  { after, step }: { readonly after: Configuration; readonly step: number },
): ConfigurationChange[] {
  const now = recorded(after);
  return Object.entries(recorded(before)).flatMap(([what, from]) => {
    const to = now[what] as string | number;
    return from === to ? [] : [{ step, what, from, to }];
  });
}

const affectsBits = new Set(['device', 'threads', 'libtorch', 'inception']);

interface Told {
  readonly kind: 'note' | 'warning';
  readonly message: string;
}

/** The changes in words. Another device, number of threads or version is a warning: bits may differ. */
export function describeChanges(
  changes: readonly ConfigurationChange[],
  {
    before,
    after,
    stepsPerEpoch,
  }: { readonly before: Configuration; readonly after: Configuration; readonly stepsPerEpoch: number },
): Told[] {
  const lines = changes.map(({ what, from, to }): Told => {
    const change = `${what}: ${from} before, ${to} from here on`;
    return affectsBits.has(what)
      ? { kind: 'warning', message: `${change}; results may differ in their last bits` }
      : { kind: 'note', message: change };
  });
  const [{ step } = { step: 0 }] = changes;
  const [was, is] = [before, after].map(({ recipe }) => learningRateAt(step, { recipe, stepsPerEpoch }));
  if (was === is) return lines;
  const rates = `the learning rate after step ${step} is ${is?.toPrecision(3)}; before the change it was ${was?.toPrecision(3)}`;
  return [...lines, { kind: 'note', message: rates }];
}

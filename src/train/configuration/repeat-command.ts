/** The command that trains what a run folder says once more. Pure. */
import type { Augmentation } from '../../images/augmentation.ts';
import { type Recipe, recipeNames, resolveRecipe } from '../recipe/recipe.ts';
import {
  commandText,
  networkArguments,
  type RecipeChanges,
  recipeArguments,
  runArguments,
} from './command-arguments.ts';
import type { Configuration } from './configuration.ts';

export interface RepeatCommand {
  /** As a shell takes it. */
  readonly command: string;
  /** What the command does not say, or needs besides. */
  readonly remarks: readonly string[];
}

/** `output` is the folder of the new run. */
export function repeatCommand(
  configuration: Configuration,
  { output }: { readonly output: string },
): RepeatCommand {
  const { network, figure, options, data, weights, recipe, precision, device, processes } = configuration;
  const { seed, validation, limitTrain, limitValidation, limitTest } = configuration;
  const { evaluateEvery, saveEverySteps, changes = [], versions } = configuration;
  const { classes: _, inputChannels: __, ...own } = options;
  // The weights bring along what is not changed of their network; the auxiliary classifier is asked for anew.
  const asked = Object.entries(own).filter(
    ([name]) =>
      !weights || name === 'auxiliary' || weights.changed.some((change) => change.startsWith(`${name}:`)),
  );
  const command = commandText([
    'train',
    ...(weights ? ['--weights', weights.source] : [network]),
    ...['--data', data, '--output', output],
    ...networkArguments(Object.fromEntries(asked)),
    ...recipeArguments(changesOf(recipe)),
    ...runArguments({
      seed,
      ...(typeof validation === 'number' && { validation }),
      limitTrain: limitTrain ?? undefined,
      limitValidation: limitValidation ?? undefined,
      limitTest: limitTest ?? undefined,
      evaluateEvery,
      saveEvery: saveEverySteps,
    }),
    ...(processes === undefined ? [] : ['--processes', String(processes)]),
    ...['--precision', precision, '--device', device],
  ]);
  const remarks = [
    figure && `'${network}' is a network of its own: name its module or .json file instead`,
    typeof recipe.classWeights === 'object' &&
      'the class weights came from a file: --class-weights FILE has to be added',
    changes.length > 0 &&
      `it was resumed with other settings (${changes.map(({ what, from, to }) => `${what} ${from} to ${to}`).join(', ')}); the command has the last ones from the beginning`,
    `it was trained by version ${versions.inception} with libtorch ${versions.libtorch}; others, and other processors, round differently`,
  ].filter((remark) => typeof remark === 'string');
  return { command, remarks };
}

/** A named recipe by its name and what differs; epochs, batch and rate, which data and batch decide on, always. */
function changesOf(recipe: Recipe): RecipeChanges {
  const { name, epochs, batch, replicas, learningRate } = recipe;
  if (!recipeNames.includes(name)) return recipe;
  const usual = resolveRecipe(name, { batch, replicas });
  const { classWeights, augmentation, ...rest } = differing(recipe, usual);
  return {
    ...rest,
    ...{ name, epochs, batch, learningRate },
    ...(replicas > 1 && { replicas }),
    ...(typeof classWeights === 'string' && { classWeights }),
    ...(augmentation && {
      augmentation: differing<Augmentation>(recipe.augmentation, usual.augmentation),
    }),
  };
}

function differing<T extends object>(values: T, usual: T): Partial<T> {
  const entries = Object.entries(values).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(usual[key as keyof T]),
  );
  return Object.fromEntries(entries) as Partial<T>;
}

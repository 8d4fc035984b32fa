/** Options that override a recipe's numbers; the defaults are those of each recipe. */
import type { Command } from 'commander';
import { optimizers, usualOptimizers } from '../../compile/optimizers/optimizers.ts';
import { readClassWeights } from '../../data/labels/class-weights-file.ts';
import { UsageError } from '../../errors.ts';
import { augmentationOptions } from '../../images/augmentation.ts';
import type { Option, OptionTable } from '../../option.ts';
import type { ClassWeights } from '../../train/recipe/class-weights.ts';
import {
  defaultRecipe,
  type Recipe,
  type RecipeOverrides,
  recipeNames,
  resolveRecipe,
} from '../../train/recipe/recipe.ts';
import {
  recipeNumbers,
  requestedNumbers,
  schedules,
  usualSchedules,
} from '../../train/recipe/recipe-options.ts';
import { oneOf } from '../usage.ts';
import {
  addDeclared,
  addVariant,
  type DeclaredVariant,
  firstSet,
  nameOfFlag,
  optionsOf,
  readDeclared,
  readVariant,
} from './declared-options.ts';

const schedule: DeclaredVariant<typeof schedules> = {
  flag: '--schedule <name>',
  about: 'learning rate schedule',
  tables: schedules,
  usual: usualSchedules,
};

const optimizer: DeclaredVariant<typeof optimizers> = {
  flag: '--optimizer <name>',
  about: 'optimiser',
  tables: optimizers,
  usual: usualOptimizers,
};

const addName = (command: Command): Command =>
  command.option(
    '--recipe <name>',
    `training recipe: ${recipeNames.join(', ')} (default: ${defaultRecipe()}; with --weights ${defaultRecipe({ weights: true })})`,
    oneOf('--recipe', recipeNames),
  );

export function addRecipeOptions(command: Command): Command {
  addName(command.optionsGroup('Recipe:'));
  const { classWeights, ...others } = requestedNumbers;
  addDeclared(command, others, { defaults: defaultsOf(others, (recipe) => recipe) });
  // What is neither word is a file, which is read later.
  command.option(
    classWeights.flag,
    `${classWeights.about} (default: ${perRecipe((recipe) => classWeights.format(recipe.classWeights))})`,
  );
  command.optionsGroup('Learning rate schedule:');
  addVariant(
    command,
    schedule,
    perRecipe((recipe) => recipe.schedule.kind),
  );
  command.optionsGroup('Optimiser:');
  addVariant(
    command,
    optimizer,
    perRecipe((recipe) => recipe.optimizer.kind),
  );
  command.optionsGroup('Augmentation:');
  const defaults = defaultsOf(augmentationOptions, (recipe) => recipe.augmentation);
  return addDeclared(command, augmentationOptions, { defaults });
}

const { weightDecay, labelSmoothing, auxiliaryLossWeight, clipNorm } = recipeNumbers;
const { freeze, layerDecay, residualRate } = recipeNumbers;
const numbers = { weightDecay, labelSmoothing, auxiliaryLossWeight, clipNorm };
const stepNumbers = { ...numbers, freeze, layerDecay, residualRate };

/** The options that affect the compiled training step. */
export function addStepOptions(command: Command): Command {
  addName(command.optionsGroup('Recipe (with --for train):'));
  addDeclared(command, stepNumbers, { defaults: defaultsOf(stepNumbers, (recipe) => recipe) });
  return addVariant(
    command,
    optimizer,
    perRecipe((recipe) => recipe.optimizer.kind),
  );
}

/** @throws UsageError for options of the training step if none is compiled */
export function refuseStepOptions(values: Readonly<Record<string, unknown>>): void {
  const options = [{ flag: '--recipe' }, ...Object.values(stepNumbers), optimizer, ...optionsOf(optimizers)];
  const idle = firstSet(options, values);
  if (idle) throw new UsageError(`${nameOfFlag(idle)}: has no effect without --for train`);
}

/** What of a recipe may change when a run is resumed. */
export const readChanges = (
  values: Readonly<Record<string, unknown>>,
): { epochs?: number; learningRate?: number } => {
  const { epochs, learningRate } = recipeNumbers;
  return readDeclared({ epochs, learningRate }, values);
};

/**
 * The recipe chosen on the command line, and what is changed of it; with weights to start from, they decide what is left open.
 * @throws UsageError for options that would have no effect
 */
export function readRecipe(
  values: Readonly<Record<string, unknown>>,
  given: { readonly weights?: unknown } = {},
): RecipeOverrides & { readonly name: string } {
  const name = (values.recipe as string | undefined) ?? defaultRecipe(given);
  const base = resolveRecipe(name);
  const [scheduled, optimized] = [
    readVariant(schedule, base.schedule, values),
    readVariant(optimizer, base.optimizer, values),
  ];
  const overrides: RecipeOverrides = {
    ...readDeclared(requestedNumbers, values),
    ...(scheduled && { schedule: scheduled }),
    ...(optimized && { optimizer: optimized }),
    augmentation: readDeclared(augmentationOptions, values),
  };
  const recipe = resolveRecipe(name, overrides);
  if (overrides.augmentation?.aspect !== undefined && recipe.augmentation.area === null)
    throw new UsageError('--crop-aspect: has no effect without random crops; expected --crop-area as well');
  if (overrides.auxiliaryLossWeight !== undefined && values.auxiliary !== true)
    throw new UsageError('--auxiliary-loss-weight: has no effect without --auxiliary');
  return { name, ...overrides };
}

/** `--class-weights`: the words stay as they are; anything else is a file of weights. */
export const readWeightsFile = async (text: unknown): Promise<ClassWeights | undefined> => {
  if (text === 'none' || text === 'balanced') return text;
  return typeof text === 'string' ? readClassWeights(text) : undefined;
};

/** Defaults by recipe, as '160; small-data: 20', or one text if all agree. */
function perRecipe(textOf: (recipe: Recipe) => string): string {
  const common = textOf(resolveRecipe(defaultRecipe()));
  const others = recipeNames
    .filter((name) => name !== defaultRecipe())
    .map((name) => ({ name, text: textOf(resolveRecipe(name)) }))
    .filter(({ text }) => text !== common)
    .map(({ name, text }) => `${name}: ${text}`);
  return [common, ...others].join('; ');
}

const defaultsOf = (table: OptionTable, part: (recipe: Recipe) => object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(table).map(([name, option]) => [
      name,
      perRecipe((recipe) => textOf(option, (part(recipe) as Readonly<Record<string, unknown>>)[name])),
    ]),
  );

const textOf = (option: Option<unknown>, value: unknown): string =>
  typeof value === 'boolean' ? (value ? 'on' : 'off') : option.format(value);

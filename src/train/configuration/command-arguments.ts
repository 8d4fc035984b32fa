/** A training as the command line takes it, from its options as data: what is printed is what is run. Pure. */
import { optimizers } from '../../compile/optimizers/optimizers.ts';
import { type Augmentation, augmentationOptions } from '../../images/augmentation.ts';
import { networkOptions } from '../../networks/network-options.ts';
import type { Option, OptionTable } from '../../option.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { recipeNumbers, schedules } from '../recipe/recipe-options.ts';
import { runNumbers } from './run-options.ts';

/** What is changed of a named recipe. */
export type RecipeChanges = Partial<Omit<Recipe, 'augmentation'>> & {
  readonly augmentation?: Partial<Augmentation>;
};

/** `['--width', '0.25']`; an option that is undefined has none. */
export function argumentsOf(table: OptionTable, values: object): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const option = table[name];
    if (option === undefined) throw new TypeError(`there is no option '${name}'`);
    return value === undefined ? [] : argumentsOfOption(option, value);
  });
}

function argumentsOfOption({ flag, control, format }: Option<unknown>, value: unknown): string[] {
  const [name = ''] = flag.split(' ');
  if (control.kind !== 'boolean') return [name, format(value)];
  const on = name.replace('--[no-]', '--');
  // A flag that is written in one way only says the other by its absence.
  if (name.startsWith('--no-')) return value ? [] : [name];
  if (name.startsWith('--[no-]')) return [value ? on : on.replace('--', '--no-')];
  return value ? [name] : [];
}

/** The recipe's name and what is changed of it. */
export function recipeArguments({
  name,
  optimizer,
  schedule,
  augmentation = {},
  ...numbers
}: RecipeChanges): string[] {
  const { kind, ...values } = optimizer ?? {};
  const { kind: scheduled, ...times } = schedule ?? {};
  return [
    ...(name === undefined ? [] : ['--recipe', name]),
    ...argumentsOf(recipeNumbers, numbers),
    ...(kind === undefined ? [] : ['--optimizer', kind, ...argumentsOf(optimizers[kind], values)]),
    ...(scheduled === undefined
      ? []
      : ['--schedule', scheduled, ...argumentsOf(schedules[scheduled], times)]),
    ...argumentsOf(augmentationOptions, augmentation),
  ];
}

export const networkArguments = (options: object): string[] => argumentsOf(networkOptions, options);

export const runArguments = (numbers: object): string[] => argumentsOf(runNumbers, numbers);

/** As a shell takes it. */
export const commandText = (args: readonly string[]): string =>
  ['inception', ...args]
    .map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`))
    .join(' ');

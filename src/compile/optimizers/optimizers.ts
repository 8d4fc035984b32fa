/** The optimisers by name. To add one, write a file beside these and add it here; options, checks, flags and checkpoints follow. */
import type { OptionTable, OptionValues, Variant } from '../../option.ts';
import { adamw } from './adamw.ts';
import type { OptimizerRule } from './optimizer.ts';
import { rmsprop } from './rmsprop.ts';
import { sgd } from './sgd.ts';

const rules = { rmsprop, sgd, adamw };

/** The options of each optimiser. */
export const optimizers = {
  rmsprop: rmsprop.options,
  sgd: sgd.options,
  adamw: adamw.options,
};

/** An optimiser with its option values: `{ kind: 'sgd', momentum: 0.9, nesterov: true }`. */
export type Optimizer = Variant<typeof optimizers>;

/** Option values for an optimiser that replaces the recipe's. */
export const usualOptimizers: { readonly [K in Optimizer['kind']]: Extract<Optimizer, { kind: K }> } = {
  rmsprop: { kind: 'rmsprop', ...rmsprop.defaults },
  sgd: { kind: 'sgd', ...sgd.defaults },
  adamw: { kind: 'adamw', ...adamw.defaults },
};

/** Learning rate for an optimiser that replaces the recipe's. */
export const typicalLearningRates: Readonly<Record<Optimizer['kind'], number>> = {
  rmsprop: rmsprop.typicalLearningRate,
  sgd: sgd.typicalLearningRate,
  adamw: adamw.typicalLearningRate,
};

/** RMSProp's values without `kind`, from when RMSProp was the only optimiser. */
export type RmsProp = OptionValues<typeof rmsprop.options>;

export const kindOf = (optimizer: Optimizer | RmsProp): Optimizer['kind'] =>
  'kind' in optimizer ? optimizer.kind : 'rmsprop';

/** The rule of an optimiser, for code that handles all of them alike. */
export const ruleOf = (optimizer: Optimizer | RmsProp): OptimizerRule<OptionTable, string> =>
  // Each rule takes only the options of its kind, and that is what the caller passes.
  rules[kindOf(optimizer)] as unknown as OptimizerRule<OptionTable, string>;

/** Names of an optimiser's state tensors: `momentum/NAME` in the store. */
export const stateNames = (optimizer: Optimizer | RmsProp): readonly string[] =>
  Object.keys(ruleOf(optimizer).state);

/** The optimiser's inputs at a step (from 1), besides `learningRate` and `averageDecay`. */
export const scalarInputs = (optimizer: Optimizer, step: number): Record<string, Float32Array> =>
  Object.fromEntries(
    Object.entries(ruleOf(optimizer).scalars({ ...optimizer }, step)).map(([name, value]) => [
      name,
      Float32Array.of(value),
    ]),
  );

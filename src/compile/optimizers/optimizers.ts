/** The optimisers by name. A new one is a file beside these and a line here; options, checks, flags and checkpoints follow. */
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

/** An optimiser with its numbers: `{ kind: 'sgd', momentum: 0.9, nesterov: true }`. */
export type Optimizer = Variant<typeof optimizers>;

/** The values of an optimiser that is chosen in place of a recipe's own. */
export const usualOptimizers: { readonly [K in Optimizer['kind']]: Extract<Optimizer, { kind: K }> } = {
  rmsprop: { kind: 'rmsprop', ...rmsprop.defaults },
  sgd: { kind: 'sgd', ...sgd.defaults },
  adamw: { kind: 'adamw', ...adamw.defaults },
};

/** The learning rate of an optimiser that is chosen in place of a recipe's own. */
export const typicalLearningRates: Readonly<Record<Optimizer['kind'], number>> = {
  rmsprop: rmsprop.typicalLearningRate,
  sgd: sgd.typicalLearningRate,
  adamw: adamw.typicalLearningRate,
};

/** RMSProp's numbers alone, as they were written before there was a choice. */
export type RmsProp = OptionValues<typeof rmsprop.options>;

export const kindOf = (optimizer: Optimizer | RmsProp): Optimizer['kind'] =>
  'kind' in optimizer ? optimizer.kind : 'rmsprop';

/** The rule of an optimiser, for code that does the same with all of them. */
export const ruleOf = (optimizer: Optimizer | RmsProp): OptimizerRule<OptionTable, string> =>
  // Each rule takes the options of its own kind only, which is what the caller passes on.
  rules[kindOf(optimizer)] as unknown as OptimizerRule<OptionTable, string>;

/** Names of the tensors that an optimiser keeps for each weight: `momentum/NAME` in the store. */
export const stateNames = (optimizer: Optimizer | RmsProp): readonly string[] =>
  Object.keys(ruleOf(optimizer).state);

/** The optimiser's own inputs of a step (from 1), besides `learningRate` and `averageDecay`. */
export const scalarInputs = (optimizer: Optimizer, step: number): Record<string, Float32Array> =>
  Object.fromEntries(
    Object.entries(ruleOf(optimizer).scalars({ ...optimizer }, step)).map(([name, value]) => [
      name,
      Float32Array.of(value),
    ]),
  );

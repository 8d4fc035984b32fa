/** What an optimiser is: the tensors that it keeps for each weight, its options, and one step as operators. */
import type { OptionTable, OptionValues } from '../../option.ts';
import type { Emitter } from '../emitter.ts';
import type { Value } from '../program.ts';

/** What one step of any optimiser reads and writes; float32, all tensors of one shape and memory order. */
export interface UpdateTensors<State extends string> {
  readonly weights: Value;
  readonly gradient: Value;
  readonly state: Readonly<Record<State, Value>>;
  /** Float32 []. */
  readonly learningRate: Value;
  /** The optimiser's own scalars of this step, by name; float32 []. */
  readonly scalars: Readonly<Record<string, Value>>;
}

/** What a native operator does besides in the same pass over memory. */
export interface FusedTensors<State extends string> extends UpdateTensors<State> {
  /** The running averages of the weights, if they are kept. */
  readonly averages: Value | undefined;
  /** Float32 []. */
  readonly averageDecay: Value;
  /** What clipping multiplies the gradient by, float32 []. */
  readonly gradientScale: Value | undefined;
  readonly weightDecay: number;
}

export interface OptimizerRule<Options extends OptionTable, State extends string> {
  /** Tensors of each weight's shape that are kept from step to step (as `NAME/WEIGHT` in the store), and their first value. */
  readonly state: Readonly<Record<State, number>>;
  readonly options: Options;
  /** The values where the optimiser is chosen and nothing else is said. */
  readonly defaults: OptionValues<Options>;
  /** What the learning rate is where another optimiser than the recipe's is chosen; a place to begin a search. */
  readonly typicalLearningRate: number;
  /** Whether weight decay is added to the gradient, or shrinks the weights by learning rate · weight decay. */
  readonly weightDecay: 'gradient' | 'decoupled';
  /** Scalars of a step (from 1) that the program takes as inputs. */
  scalars(options: OptionValues<Options>, step: number): Readonly<Record<string, number>>;
  /** One native operator: everything in one pass. Gives the gradient's norm, before its scaling. */
  native(emitter: Emitter, tensors: FusedTensors<State>, options: OptionValues<Options>): Value;
  /** The same by libtorch's operators; clipping, weight decay and averages are the caller's. May overwrite the gradient. */
  aten(emitter: Emitter, tensors: UpdateTensors<State>, options: OptionValues<Options>): void;
}

/** Checks a rule and keeps its types. */
export const optimizerRule = <Options extends OptionTable, State extends string>(
  rule: OptimizerRule<Options, State>,
): OptimizerRule<Options, State> => rule;

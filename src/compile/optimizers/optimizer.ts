/** The definition of an optimiser: its state per weight, its options, and one step as operators. */
import type { OptionTable, OptionValues } from '../../option.ts';
import type { Emitter } from '../emitter.ts';
import type { Value } from '../program.ts';

/** What one step of any optimiser reads and writes: float32 tensors of the same shape and strides. */
export interface UpdateTensors<State extends string> {
  readonly weights: Value;
  readonly gradient: Value;
  readonly state: Readonly<Record<State, Value>>;
  /** Float32 []. */
  readonly learningRate: Value;
  /** The optimiser's scalars for this step, by name; float32 []. */
  readonly scalars: Readonly<Record<string, Value>>;
}

/** What a native operator also handles in the same pass over memory. */
export interface FusedTensors<State extends string> extends UpdateTensors<State> {
  /** Running averages of the weights, if any. */
  readonly averages: Value | undefined;
  /** Float32 []. */
  readonly averageDecay: Value;
  /** The factor by which clipping scales the gradient, float32 []. */
  readonly gradientScale: Value | undefined;
  readonly weightDecay: number;
}

export interface OptimizerRule<Options extends OptionTable, State extends string> {
  /** State tensors, each of the weight's shape (`NAME/WEIGHT` in the store), with their initial value. */
  readonly state: Readonly<Record<State, number>>;
  readonly options: Options;
  /** Option values that apply unless they are set. */
  readonly defaults: OptionValues<Options>;
  /** Learning rate when this optimiser replaces the recipe's: a starting point for a search. */
  readonly typicalLearningRate: number;
  /** Whether weight decay is added to the gradient, or shrinks the weights by learning rate · weight decay. */
  readonly weightDecay: 'gradient' | 'decoupled';
  /** Scalars that the program takes as inputs at a step, counted from 1. */
  scalars(options: OptionValues<Options>, step: number): Readonly<Record<string, number>>;
  /** One native operator that does everything in one pass. Returns the gradient's norm before scaling. */
  native(emitter: Emitter, tensors: FusedTensors<State>, options: OptionValues<Options>): Value;
  /** The same with libtorch's operators; the caller does clipping, weight decay and averages. May overwrite the gradient. */
  aten(emitter: Emitter, tensors: UpdateTensors<State>, options: OptionValues<Options>): void;
}

/** Checks a rule and keeps its types. */
export const optimizerRule = <Options extends OptionTable, State extends string>(
  rule: OptimizerRule<Options, State>,
): OptimizerRule<Options, State> => rule;

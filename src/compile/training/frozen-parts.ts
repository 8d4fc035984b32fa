/**
 * The frozen parts of a network in training are inference: batch normalisation with the moving statistics folded into convolutions
 * with packed weights, no dropout, and nothing kept for a backward pass, which ends where they begin.
 */
import type { Graph } from '../../graph/graph.ts';
import { runPasses } from '../../passes/pass.ts';
import { splitFrozen } from '../../passes/split-frozen.ts';
import type { Emitter } from '../emitter.ts';
import { inferenceGraphPasses } from '../inference/inference-passes.ts';
import { lowerInference } from '../inference/lower-inference.ts';
import { compilePreparation, storedNames } from '../inference/prepare.ts';
import type { InferenceOptions, TrainingOptions } from '../options.ts';
import type { Program } from '../program.ts';
import type { Overlay, Result } from '../rules/rule.ts';

export interface FrozenParts {
  /** What is left to train; its `input` nodes are the frozen parts' results. */
  readonly trained: Graph;
  /** Folds and packs the frozen weights; undefined if nothing is frozen. */
  readonly prepare: Program | undefined;
  /** Names of what `prepare` stores. */
  readonly computed: readonly string[];
  /** Where they end: `reductionB`. */
  readonly last: string | undefined;
  /** Emits the frozen parts. Returns the rules by which the `input` nodes of `trained` are their results. */
  readonly lower: (emitter: Emitter) => Overlay;
}

export function frozenParts(network: Graph, options: TrainingOptions): FrozenParts {
  const split = splitFrozen(network, { keep: options.endpoints ?? [] });
  if (!split)
    return { trained: network, prepare: undefined, computed: [], last: undefined, lower: () => ({}) };
  const { boundaries, trained } = split;
  const { batch, precision, images, scaling, kernels = 'native', passes: choices } = options;
  const inference: InferenceOptions = {
    batch,
    precision,
    kernels,
    ...(images && { images }),
    ...(scaling && { scaling }),
  };
  const context = { native: kernels === 'native', endpoints: boundaries };
  const frozen = runPasses(split.frozen, inferenceGraphPasses, { context, choices });
  const prepare = compilePreparation(frozen, inference);
  return {
    trained,
    prepare,
    computed: storedNames(prepare),
    last: boundaries.at(-1),
    lower: (emitter) => {
      const lowered = lowerInference(emitter, frozen, inference);
      const results = new Map(
        boundaries.map((name) => [name, (lowered[frozen.endpoints.get(name) as number] as Result).value]),
      );
      return {
        input: ({ path }) => {
          const value = results.get(path);
          return value && { value, gradients: () => ({ inputs: [] }) };
        },
      };
    },
  };
}

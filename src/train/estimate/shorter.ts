/** What would make a training shorter, each with its factor from the graph's costs. Pure. */
import { buildGraph } from '../../graph/build-graph.ts';
import type { Graph } from '../../graph/graph.ts';
import { allParts, freezable, freeze, isAuxiliaryIdle } from '../../graph/parts.ts';
import { GraphError } from '../../graph/windows.ts';
import { networkOf } from '../../model/description.ts';
import { configure, type NetworkOptions } from '../../networks/networks.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { defaultRecipe, graphToTrain, resolveRecipe } from '../recipe/recipe.ts';
import { type Plan, workOf } from './work.ts';

/** An option that would make a training shorter. */
export interface Shorter {
  /** As the command line takes it: `--input-size 192`. */
  readonly option: string;
  /** Of the work of the whole training, 0–1. */
  readonly factor: number;
  /** What the whole training would take with it. */
  readonly seconds: number;
}

/** Trainings of up to this many seconds need no advice. */
export const anHour = 3600;

const inputSizes = [224, 192, 160, 139, 128, 107, 96, 75];

/** A change is worth naming if it halves the work. */
const half = 0.5;

type Trained = Pick<Configuration, 'network' | 'figure' | 'options' | 'weights' | 'recipe'>;

/**
 * In the order in which they cost accuracy least, as far as that can be said in general.
 * @param seconds of the whole training as it is
 */
export function shorterTrainings(configuration: Trained, plan: Plan, seconds: number): Shorter[] {
  const { recipe, weights, options } = configuration;
  const factorOf = (changes: Partial<Plan>): number => workOf({ ...plan, ...changes }) / workOf(plan);
  const withOptions = (options: NetworkOptions): Graph | undefined => {
    try {
      const changed = { ...configuration.options, ...options };
      return graphToTrain(buildGraph(configure(networkOf(configuration), changed)), recipe);
    } catch (error) {
      // An input that is too small for some window.
      if (error instanceof GraphError) return undefined;
      throw error;
    }
  };
  const candidates = [
    ...(weights ? frozenParts(plan, recipe.freeze) : [startingFromWeights(plan)]),
    ...smallerInputs(plan, (inputSize) => withOptions({ inputSize })),
    ...(weights ? [] : [narrower(options.width, withOptions)]),
    fewerEpochs(plan, seconds),
  ];
  return candidates.flatMap(({ option, changes }) => {
    const factor = changes ? factorOf(changes) : 1;
    return factor < 1 ? [{ option, factor, seconds: seconds * factor }] : [];
  });

  /** The earliest part that halves the work, or the last one before the classifier. */
  function frozenParts({ graph }: Plan, frozen: string | null): Candidate[] {
    if (frozen !== null) return [];
    const candidates = freezable(graph)
      .filter((part) => part !== allParts)
      .map((part) => ({ option: `--freeze ${part}`, changes: { graph: freeze(graph, part) } }))
      // It would be refused.
      .filter(({ changes }) => !isAuxiliaryIdle(changes.graph));
    const found = candidates.find(({ changes }) => factorOf(changes) <= half) ?? candidates.at(-1);
    return found ? [found] : [];
  }

  function smallerInputs({ graph }: Plan, build: (size: number) => Graph | undefined): Candidate[] {
    const [height, width] = graph.network.input;
    if (height !== width) return [];
    const sizes = inputSizes.filter((size) => size < height);
    const built = sizes.flatMap((size) => {
      const changed = build(size);
      return changed ? [{ option: `--input-size ${size}`, changes: { graph: changed } }] : [];
    });
    const found = built.find(({ changes }) => factorOf(changes) <= half) ?? built[0];
    return found ? [found] : [];
  }
}

interface Candidate {
  readonly option: string;
  readonly changes: Partial<Plan> | undefined;
}

function startingFromWeights({ epochs }: Plan): Candidate {
  const fineTuned = resolveRecipe(defaultRecipe({ weights: true })).epochs;
  return {
    option: `--weights MODEL (${fineTuned} epochs)`,
    changes: fineTuned < epochs ? { epochs: fineTuned } : undefined,
  };
}

function narrower(
  width: number | undefined,
  build: (options: NetworkOptions) => Graph | undefined,
): Candidate {
  const halved = (width ?? 1) / 2;
  const graph = build({ width: halved });
  return { option: `--width ${halved}`, changes: graph && { graph } };
}

/** As many whole epochs as an hour has room for. */
function fewerEpochs({ epochs }: Plan, seconds: number): Candidate {
  const fitting = Math.floor((epochs * anHour) / seconds);
  return { option: `--epochs ${fitting}`, changes: fitting >= 1 ? { epochs: fitting } : undefined };
}

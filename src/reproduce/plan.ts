/** The trainings of a claim at a scale: every arm with every seed, each as a command. Pure. */
import { join } from 'node:path';
import { UsageError } from '../errors.ts';
import { buildGraph } from '../graph/build-graph.ts';
import type { NetworkOptions } from '../networks/network-options.ts';
import { configure, findNetwork } from '../networks/networks.ts';
import { type Plan, workOf } from '../train/estimate/work.ts';
import type { Arm, RecipeChanges, ScaleName, TrainingClaim, TrainingScale } from './claim.ts';
import { networkArguments, recipeArguments, runArguments } from './command-arguments.ts';
import { atCostOf } from './match-costs.ts';

/** An arm whose options are all resolved. */
export interface ResolvedArm extends Arm {
  readonly options: NetworkOptions;
  readonly recipe: RecipeChanges;
}

export interface PlannedRun {
  /** Of the folder. */
  readonly name: string;
  readonly arm: string;
  /** By which runs of different arms are paired. */
  readonly seed: number;
  /** Of `inception`. */
  readonly args: readonly string[];
}

export interface Asked {
  readonly scale: ScaleName;
  /** Default: the scale's. */
  readonly seeds?: number | undefined;
  /** Default: the scale's. */
  readonly data?: string | undefined;
  readonly threads?: number | undefined;
  /** Whether the data have test images, without which a limit to them is refused. Default true. */
  readonly hasTest?: boolean | undefined;
}

export function resolveArms({ arms, recipe }: TrainingScale): readonly ResolvedArm[] {
  return arms.map((arm) => {
    const target = arms.find(({ name }) => name === arm.costOf);
    return {
      ...arm,
      options: target ? atCostOf(arm, target) : arm.options,
      recipe: { ...recipe, ...arm.recipe },
    };
  });
}

/** @throws UsageError where the data are missing */
export function dataOf(claim: TrainingClaim, { scale, data }: Asked): string {
  const chosen = data ?? claim.scales[scale].data;
  if (chosen === undefined)
    throw new UsageError(
      `${claim.id}: needs photographs that are larger than the network's input; expected --data FOLDER, a folder of class folders`,
    );
  return chosen;
}

const folderOfRuns = 'runs';
export const runFolderOf = (folder: string, { name }: Pick<PlannedRun, 'name'>): string =>
  join(folder, folderOfRuns, name);

/** Every run, seed by seed, so that an interrupted experiment has whole pairs. */
export function planRuns(claim: TrainingClaim, asked: Asked, folder: string): readonly PlannedRun[] {
  const scale = claim.scales[asked.scale];
  const data = dataOf(claim, asked);
  const { limitTrain, limitValidation } = scale;
  const limitTest = (asked.hasTest ?? true) ? scale.limitTest : undefined;
  const arms = resolveArms(scale);
  return Array.from({ length: asked.seeds ?? scale.seeds }, (_, index) => index + 1).flatMap((seed) =>
    arms.map(({ name: arm, network, options, recipe, seedOffset = 0 }) => {
      const name = `${arm}-seed${seed}`;
      return {
        name,
        arm,
        seed,
        args: [
          ...['train', network, '--data', data, '--out', runFolderOf(folder, { name })],
          ...networkArguments(options),
          ...recipeArguments(recipe),
          ...runArguments({ seed: seed + seedOffset, limitTrain, limitValidation, limitTest }),
          ...(asked.threads === undefined ? [] : ['--threads', String(asked.threads)]),
        ],
      };
    }),
  );
}

/** Images of each split, as far as they are known before the data are opened: of Fashion-MNIST, without a limit. */
const usual = { train: 48_000, validation: 12_000, test: 10_000 };

/** Multiply-adds of all trainings of a scale with their evaluations. */
export function macsOfScale(
  scale: TrainingScale,
  { seeds = scale.seeds }: { readonly seeds?: number | undefined } = {},
): number {
  const macs = resolveArms(scale).map(({ network, options, recipe }) => {
    const plan: Plan = {
      graph: buildGraph(configure(findNetwork(network), { ...options, classes: 10 })),
      epochs: recipe.epochs ?? scale.recipe.epochs,
      trainingImages: scale.limitTrain ?? usual.train,
      evaluatedImages: scale.limitValidation ?? usual.validation,
      testedImages: scale.limitTest ?? usual.test,
      evaluateEvery: 1,
    };
    return workOf(plan);
  });
  return seeds * macs.reduce((sum, each) => sum + each, 0);
}

/** The trainings of a claim at a scale: every arm with every seed, each as a command. Pure. */
import { UsageError } from '../errors.ts';
import type { NetworkOptions } from '../networks/network-options.ts';
import { networkArguments, recipeArguments, runArguments } from '../train/configuration/command-arguments.ts';
import { type Plan, workOf } from '../train/estimate/work.ts';
import type { Arm, RecipeChanges, ScaleName, TrainingClaim, TrainingScale } from './claim.ts';
import { figureFileOf, runFolderOf } from './experiment-folder.ts';
import { atCostOf, graphOfArm } from './match-costs.ts';

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
  /** Whether the data have test images, without which a limit to them is refused. Default true. */
  readonly hasTest?: boolean | undefined;
}

/** Widths are found by building many graphs, and asked for again and again. */
const resolved = new WeakMap<TrainingScale, readonly ResolvedArm[]>();

export function resolveArms(scale: TrainingScale): readonly ResolvedArm[] {
  const before = resolved.get(scale);
  if (before) return before;
  const { arms, recipe } = scale;
  const now = arms.map((arm) => {
    const target = arms.find(({ name }) => name === arm.costOf);
    return {
      ...arm,
      options: target ? atCostOf(arm, target) : arm.options,
      recipe: { ...recipe, ...arm.recipe },
    };
  });
  resolved.set(scale, now);
  return now;
}

/** The scale as it is for these data. */
export function scaleFor(
  claim: TrainingClaim,
  { scale, data }: Pick<Asked, 'scale' | 'data'>,
): TrainingScale {
  const chosen = claim.scales[scale];
  const { otherData } = chosen;
  if (!otherData || data === undefined || data === chosen.data) return chosen;
  const { epochs = chosen.recipe.epochs, ...limits } = otherData;
  return { ...chosen, ...limits, recipe: { ...chosen.recipe, epochs } };
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

/** Every run, seed by seed, so that an interrupted experiment has whole pairs. */
export function planRuns(claim: TrainingClaim, asked: Asked, folder: string): readonly PlannedRun[] {
  const scale = scaleFor(claim, asked);
  const data = dataOf(claim, asked);
  const { limitTrain, limitValidation } = scale;
  const limitTest = (asked.hasTest ?? true) ? scale.limitTest : undefined;
  const arms = resolveArms(scale);
  return Array.from({ length: asked.seeds ?? scale.seeds }, (_, index) => index + 1).flatMap((seed) =>
    arms
      .filter(({ seeds = seed }) => seed <= seeds)
      .map(({ name: arm, network, figure, options, recipe, seedOffset = 0, precision, evaluateEvery }) => {
        const name = `${arm}-seed${seed}`;
        const numbers = { seed: seed + seedOffset, limitTrain, limitValidation, limitTest, evaluateEvery };
        return {
          name,
          arm,
          seed,
          args: [
            ...['train', figure ? figureFileOf(folder, figure) : network],
            ...['--data', data, '--out', runFolderOf(folder, { name })],
            ...networkArguments(options),
            ...recipeArguments(recipe),
            ...runArguments(numbers),
            ...(precision === undefined ? [] : ['--precision', precision]),
          ],
        };
      }),
  );
}

/** Images of each split, as far as they are known before the data are opened: of Fashion-MNIST, without a limit. */
const usual = { train: 48_000, validation: 12_000, test: 10_000 };

/** Multiply-adds of all trainings of a scale with their evaluations. */
export function macsOfScale(scale: TrainingScale): number {
  return resolveArms(scale)
    .map(({ recipe, seeds = scale.seeds, evaluateEvery = 1, ...arm }) => {
      const plan: Plan = {
        graph: graphOfArm(arm, { classes: 10 }),
        epochs: recipe.epochs ?? scale.recipe.epochs,
        trainingImages: scale.limitTrain ?? usual.train,
        evaluatedImages: scale.limitValidation ?? usual.validation,
        testedImages: scale.limitTest ?? usual.test,
        evaluateEvery,
      };
      return Math.min(seeds, scale.seeds) * workOf(plan);
    })
    .reduce((sum, each) => sum + each, 0);
}

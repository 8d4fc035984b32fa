/** Builds the configuration of a run from the caller's options; everything else is derived. */
import type { Precision } from '../../compile/options.ts';
import { openData } from '../../data/open-data.ts';
import type { EngineFacts } from '../../engine/engine.ts';
import { choosePrecision } from '../../engine/precision.ts';
import { UsageError } from '../../errors.ts';
import { standardPreprocessing } from '../../images/preprocess.ts';
import { refuseIdleOptions } from '../../networks/idle-options.ts';
import { findNetwork, type NetworkOptions, registerNetwork } from '../../networks/networks.ts';
import type { Network } from '../../networks/notation.ts';
import { checkOptions } from '../../option.ts';
import { packageVersion } from '../../version.ts';
import { type Recipe, type RecipeOverrides, refuseIdleNumbers, resolveRecipe } from '../recipe/recipe.ts';
import type { Configuration } from './configuration.ts';
import { dataPath, filesOf } from './data-files.ts';
import { type RunPace, runNumbers } from './run-options.ts';

/** The options of a new run. */
export interface NewRun {
  /** The name of a built-in network, or a custom network. */
  readonly network: string | Network;
  /** A folder with class folders in `train/` and `test/`, or 'fashion-mnist'. */
  readonly data: string;
  /** Options of the network. Its classes are those of the data. */
  readonly options?: NetworkOptions;
  /** The name of a recipe, or overrides of the recipe `name`. Default 'paper'. */
  readonly recipe?: string | (RecipeOverrides & { readonly name?: string });
  /** Random seed (initialisation, shuffling, augmentation, dropout). Default 1. */
  readonly seed?: number;
  /** Default `auto`: bfloat16 if the hardware supports it. */
  readonly precision?: Precision | 'auto';
  /** Maximum number of training and test images. Default: all. */
  readonly limitTrain?: number | undefined;
  readonly limitTest?: number | undefined;
}

const runWords = { what: 'option', Failure: UsageError };

/**
 * Resolves the configuration of a run. Reads the class names from the data.
 * @throws NetworkOptionError, NetworkError, RecipeError or UsageError for invalid options, DataError for missing data.
 */
export async function createConfiguration(
  run: NewRun & RunPace,
  facts: Pick<EngineFacts, 'device' | 'threads' | 'libtorch' | 'fastBfloat16'>,
): Promise<Configuration> {
  const network = networkOf(run);
  const recipe = recipeOf(run);
  refuseIdleOptions(network, run.options ?? {});
  refuseIdleNumbers(recipe, { auxiliary: run.options?.auxiliary ?? false });
  const numbers = { seed: run.seed, limitTrain: run.limitTrain, limitTest: run.limitTest };
  const { evaluateEvery, saveEverySteps } = run;
  checkOptions(runNumbers, { ...numbers, evaluateEvery, saveEvery: saveEverySteps }, runWords);
  const data = dataPath(run.data);
  const train = await openData(data, 'train');
  const { classes } = train;
  const { classes: requested = classes.length, ...options } = run.options ?? {};
  if (requested !== classes.length)
    throw new UsageError(`classes: ${data} has ${classes.length} classes, received ${requested}`);
  const { inputSize = [network.input[0], network.input[1]] } = options;
  const size = typeof inputSize === 'number' ? ([inputSize, inputSize] as const) : inputSize;
  return {
    format: 1,
    network: network.name,
    options: { ...options, classes: classes.length },
    data,
    files: { train: filesOf(train, data), test: filesOf(await openData(data, 'validation'), data) },
    classes,
    preprocessing: standardPreprocessing(size, { crop: recipe.evaluationCrop }),
    recipe,
    seed: run.seed ?? 1,
    precision: choosePrecision(run.precision ?? 'auto', facts),
    device: facts.device,
    threads: facts.threads,
    limitTrain: run.limitTrain ?? null,
    limitTest: run.limitTest ?? null,
    ...(evaluateEvery !== undefined && { evaluateEvery }),
    ...(saveEverySteps !== undefined && { saveEverySteps }),
    versions: { inception: packageVersion, libtorch: facts.libtorch, node: process.versions.node },
  };
}

/** Looks up a network; a custom one is registered. @throws NetworkOptionError or NetworkError */
export const networkOf = ({ network }: Pick<NewRun, 'network'>): Network =>
  typeof network === 'string' ? findNetwork(network) : registerNetwork(network);

/** @throws RecipeError */
function recipeOf({ recipe = 'paper' }: Pick<NewRun, 'recipe'>): Recipe {
  if (typeof recipe === 'string') return resolveRecipe(recipe);
  const { name = 'paper', ...overrides } = recipe;
  return resolveRecipe(name, overrides);
}

/** From what a person asks for to the configuration of a run, with everything derived that need not be asked for. */
import type { Precision } from '../compile/options.ts';
import { openData } from '../data/open-data.ts';
import type { EngineFacts } from '../engine/engine.ts';
import { choosePrecision } from '../engine/precision.ts';
import { UsageError } from '../errors.ts';
import { standardPreprocessing } from '../images/preprocess.ts';
import { findNetwork, type NetworkOptions, registerNetwork } from '../networks/networks.ts';
import type { Network } from '../networks/notation.ts';
import { packageVersion } from '../version.ts';
import type { Configuration } from './configuration.ts';
import { type Recipe, type RecipeOverrides, resolveRecipe } from './recipe.ts';

/** What a new run is asked for; everything else is derived. */
export interface NewRun {
  /** A name of `networks`, or a network of your own. */
  readonly network: string | Network;
  /** A folder of class folders in `train/` and `test/`, or 'fashion-mnist'. */
  readonly data: string;
  /** Of the network. Its classes are those of the data. */
  readonly options?: NetworkOptions;
  /** A recipe's name, or numbers that override those of the recipe `name`. Default 'paper'. */
  readonly recipe?: string | (RecipeOverrides & { readonly name?: string });
  /** Of initialisation, order, augmentation and dropout. Default 1. */
  readonly seed?: number;
  /** Default `auto`: bfloat16 where the hardware has it. */
  readonly precision?: Precision | 'auto';
  /** Images of the training and of the test split that are used. Default: all. */
  readonly limitTrain?: number | undefined;
  readonly limitTest?: number | undefined;
}

/**
 * Everything of a run, to the last number. Reads the names of the data's classes.
 * @throws NetworkOptionError, NetworkError, RecipeError or UsageError for what cannot be, DataError for data that are not there.
 */
export async function createConfiguration(
  run: NewRun,
  facts: Pick<EngineFacts, 'device' | 'threads' | 'libtorch' | 'fastBfloat16'>,
): Promise<Configuration> {
  const network = networkOf(run);
  const recipe = recipeOf(run);
  const { classes } = await openData(run.data, 'train');
  const { classes: asked = classes.length, ...options } = run.options ?? {};
  if (asked !== classes.length)
    throw new UsageError(`classes: ${run.data} has ${classes.length} classes, received ${asked}`);
  const { inputSize = [network.input[0], network.input[1]] } = options;
  const size = typeof inputSize === 'number' ? ([inputSize, inputSize] as const) : inputSize;
  return {
    format: 1,
    network: network.name,
    options: { ...options, classes: classes.length },
    data: run.data,
    classes,
    preprocessing: standardPreprocessing(size, { crop: recipe.evaluationCrop }),
    recipe,
    seed: run.seed ?? 1,
    precision: choosePrecision(run.precision ?? 'auto', facts),
    device: facts.device,
    threads: facts.threads,
    limitTrain: run.limitTrain ?? null,
    limitTest: run.limitTest ?? null,
    versions: { inception: packageVersion, libtorch: facts.libtorch, node: process.versions.node },
  };
}

/** A network of one's own is registered. @throws NetworkOptionError or NetworkError */
export const networkOf = ({ network }: Pick<NewRun, 'network'>): Network =>
  typeof network === 'string' ? findNetwork(network) : registerNetwork(network);

/** @throws RecipeError */
function recipeOf({ recipe = 'paper' }: Pick<NewRun, 'recipe'>): Recipe {
  if (typeof recipe === 'string') return resolveRecipe(recipe);
  const { name = 'paper', ...overrides } = recipe;
  return resolveRecipe(name, overrides);
}

/** Builds the configuration of a run from the caller's options; everything else is derived. */
import type { Precision } from '../../compile/options.ts';
import { absoluteSource } from '../../data/sources/absolute-source.ts';
import { openSplits, type Splits } from '../../data/splits/open-splits.ts';
import type { EngineFacts } from '../../engine/engine.ts';
import { choosePrecision } from '../../engine/precision.ts';
import { UsageError } from '../../errors.ts';
import { standardPreprocessing } from '../../images/preprocess.ts';
import { refuseIdleOptions } from '../../networks/idle-options.ts';
import { findNetwork, type NetworkOptions, registerNetwork } from '../../networks/networks.ts';
import type { Network } from '../../networks/notation.ts';
import { checkOptions } from '../../option.ts';
import { packageVersion } from '../../version.ts';
import {
  defaultRecipe,
  type Recipe,
  type RecipeOverrides,
  refuseIdleNumbers,
  refuseIdleResiduals,
  resolveRecipe,
  usualPatience,
} from '../recipe/recipe.ts';
import { criterionOf } from '../run/model-choice.ts';
import { type Asked, startFrom } from '../starting/start-from.ts';
import type { StartingWeights } from '../starting/starting-weights.ts';
import type { Configuration } from './configuration.ts';
import { filesOf } from './data-files.ts';
import { fitToImages } from './fit-to-images.ts';
import { remember } from './opened-splits.ts';
import { type RunPace, runNumbers } from './run-options.ts';

/** The options of a new run. */
export interface NewRun {
  /** The name of a built-in network, or a custom network. Not needed with `weights`, which bring theirs. */
  readonly network?: string | Network | undefined;
  /**
   * A model to start from, instead of random weights: a run folder, a file of weights of any ecosystem, `hub:owner/name`. The
   * network, its options and the preprocessing come with it; the classifier is new but for classes of the same label.
   */
  readonly weights?: string | undefined;
  /** A folder of class folders, or with `train/`, `val/` and `test/` of them, or 'fashion-mnist'. */
  readonly data: string;
  /** Options of the network. Its classes are those of the data; with `weights`, only `auxiliary`, `dropoutKeep` and `inputSize` may differ from theirs. */
  readonly options?: NetworkOptions;
  /** The name of a recipe, or overrides of the recipe `name`. Default 'paper'; with `weights`, 'fine-tune'. */
  readonly recipe?: string | (RecipeOverrides & { readonly name?: string });
  /** Random seed (initialisation, shuffling, augmentation, dropout). Default 1. */
  readonly seed?: number;
  /** Default `auto`: bfloat16 if the hardware supports it. */
  readonly precision?: Precision | 'auto';
  /** The fraction of each class's training images that become validation images, where there is no `val/`. Default 0.2; 0 for none. */
  readonly validation?: number | undefined;
  /** Seconds from the call to its end: epochs and schedule are fitted to it by a few timed steps. Not with a number of epochs. */
  readonly timeSeconds?: number | undefined;
  /** Maximum number of training, validation and test images. Default: all. */
  readonly limitTrain?: number | undefined;
  readonly limitValidation?: number | undefined;
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
  {
    starting,
    onNotice,
    processes = 1,
  }: {
    readonly starting?: StartingWeights | undefined;
    /** That share the training: as many replicas, unless the recipe says how many. */
    readonly processes?: number;
    readonly onNotice?: ((message: string) => void) | undefined;
  } = {},
): Promise<Configuration> {
  const chosen = recipeOf(run, starting, { processes });
  refuseSpareProcesses(chosen, processes);
  refuseIdleNumbers(chosen, {
    auxiliary: run.options?.auxiliary ?? false,
    fromWeights: starting !== undefined,
  });
  const { evaluateEvery, saveEverySteps, seed, validation, limitTrain, limitValidation, limitTest } = run;
  const numbers = { seed, validation, limitTrain, limitValidation, limitTest };
  checkOptions(runNumbers, { ...numbers, evaluateEvery, saveEvery: saveEverySteps }, runWords);
  const data = absoluteSource(run.data);
  const splits = await openSplits(data, { validation, mayStream: true, onNotice });
  refuseIdle(run, splits);
  const { train } = splits;
  const { classes } = train;
  const { epochs, patience } = typeof run.recipe === 'object' ? run.recipe : {};
  const isBlind = chosen.keepBest && !splits.validation;
  const {
    recipe: ofImages,
    decisions,
    ...fitted
  } = fitToImages(isBlind ? { ...chosen, keepBest: false } : chosen, {
    images: Math.min(train.length, limitTrain ?? train.length),
    fromWeights: starting !== undefined,
    isEpochsOpen: (epochs === undefined || epochs === 'auto') && run.timeSeconds === undefined,
    isPaceOpen: evaluateEvery === undefined && splits.validation !== undefined,
    ofBatch:
      typeof run.recipe === 'object' && run.recipe.batch !== undefined
        ? undefined
        : (batch) => recipeOf(run, starting, { processes, batch, ...(isBlind && { keepBest: false }) }),
  });
  const recipe =
    epochs === 'auto' && patience === undefined
      ? { ...ofImages, patience: usualPatience(ofImages.epochs) }
      : ofImages;
  if (train.stream && recipe.sampling === 'balanced')
    throw new UsageError(
      `sampling: ${train.name} is a stream, and its images come as they come; expected 'shuffle'`,
    );
  const told = isBlind ? [...decisions, lastIsTheModel] : decisions;
  const { classes: requested = classes.length, ...options } = run.options ?? {};
  if (requested !== classes.length)
    throw new UsageError(`classes: ${data} has ${classes.length} classes, received ${requested}`);
  const asked = { network: run.network, options, classes };
  const { network, preprocessing, ...started } = starting
    ? startFrom(starting, asked)
    : fromScratch(networkOf(run), asked);
  refuseIdleOptions(network, run.options ?? {});
  refuseIdleResiduals(recipe, network);
  return {
    format: 1,
    network: network.name,
    ...started,
    data,
    files: remember(
      {
        train: filesOf(train, data),
        ...(splits.validation && { validation: filesOf(splits.validation, data) }),
        ...(splits.test && { test: filesOf(splits.test, data) }),
      },
      splits,
    ),
    validation: splits.validationFrom,
    classes,
    ...(train.classIds && { classIds: train.classIds }),
    preprocessing: { ...preprocessing, crop: recipe.evaluationCrop },
    recipe,
    seed: seed ?? 1,
    precision: choosePrecision(run.precision ?? 'auto', facts),
    device: facts.device,
    threads: facts.threads,
    ...(processes > 1 && { processes }),
    ...((recipe.keepBest || recipe.patience !== null) && { chosenBy: criterionOf(recipe) }),
    limitTrain: limitTrain ?? null,
    limitValidation: limitValidation ?? null,
    limitTest: limitTest ?? null,
    ...(told.length > 0 && { decisions: told }),
    ...fitted,
    ...(evaluateEvery !== undefined && { evaluateEvery }),
    ...(saveEverySteps !== undefined && { saveEverySteps }),
    versions: { inception: packageVersion, libtorch: facts.libtorch, node: process.versions.node },
  };
}

/** @throws UsageError if a new run has processes that would never train */
function refuseSpareProcesses({ replicas }: Recipe, processes: number): void {
  if (processes > replicas)
    throw new UsageError(
      `replicas: ${replicas}, on ${processes} processes: ${processes - replicas} of them would have nothing to train; expected at least ${processes} replicas, best a multiple`,
    );
}

const lastIsTheModel =
  'no validation images: the last epoch is the model, and nothing is said about the others';

/** @throws UsageError for an option that is about images that there are not */
function refuseIdle(run: NewRun & RunPace, { validation, test }: Splits): void {
  const { limitValidation, evaluateEvery, limitTest } = run;
  const { patience, keepBest, epochs } = typeof run.recipe === 'object' ? run.recipe : {};
  const asked = {
    ...(!validation && { limitValidation, evaluateEvery, patience, keepBest: keepBest || undefined }),
    ...(!validation && epochs === 'auto' && { 'epochs auto': epochs }),
    ...(!test && { limitTest }),
  };
  const [idle] = Object.entries(asked).filter(([, value]) => value !== undefined && value !== null);
  if (idle)
    throw new UsageError(
      `option '${idle[0]}': has no effect: ${run.data} has no ${idle[0] === 'limitTest' ? 'test' : 'validation'} images here`,
    );
}

/** Looks up a network; a custom one is registered. @throws NetworkOptionError or NetworkError */
export function networkOf({ network }: Pick<NewRun, 'network'>): Network {
  if (network === undefined)
    throw new UsageError(
      "expected a network ('inception models' lists them), or a model to start from, which brings its own",
    );
  return typeof network === 'string' ? findNetwork(network) : registerNetwork(network);
}

function fromScratch(network: Network, { options, classes }: Required<Asked>) {
  const { inputSize = [network.input[0], network.input[1]] } = options ?? {};
  const size = typeof inputSize === 'number' ? ([inputSize, inputSize] as const) : inputSize;
  return {
    network,
    options: { ...options, classes: classes.length },
    preprocessing: standardPreprocessing(size, {}),
  };
}

/** The recipe; the evaluation's crop comes with the weights, as the rest of the preprocessing does. @throws RecipeError */
function recipeOf(
  { recipe = {} }: Pick<NewRun, 'recipe'>,
  starting: StartingWeights | undefined,
  { processes, ...changes }: RecipeOverrides & { readonly processes: number },
): Recipe {
  const { name = defaultRecipe({ weights: starting }), ...overrides } =
    typeof recipe === 'string' ? { name: recipe } : recipe;
  const crop = starting && { evaluationCrop: starting.model.description.preprocessing.crop };
  return resolveRecipe(name, { replicas: processes, ...crop, ...overrides, ...changes });
}

/** The full configuration of a run, with every default resolved: `config.json` of its folder. */
import { z } from 'zod';
import { optimizers } from '../../compile/optimizers/optimizers.ts';
import { threads } from '../../engine/engine-options.ts';
import { InceptionError } from '../../errors.ts';
import { augmentationOptions, unusedAugmentation } from '../../images/augmentation.ts';
import { networkOptionsSchema, preprocessingSchema } from '../../model/description.ts';
import { figureSchema } from '../../model/figure-schema.ts';
import { optionSchema, valueSchema, variantSchema } from '../../model/option-schema.ts';
import { parseJson } from '../../parse-json.ts';
import { probeSchema } from '../probe/probe-record.ts';
import { recipeNumbers, schedules, unusedNumbers } from '../recipe/recipe-options.ts';
import { criteria } from '../run/model-choice.ts';
import { runNumbers } from './run-options.ts';

const recipe = optionSchema(recipeNumbers).extend({
  name: z.string(),
  schedule: variantSchema(schedules),
  optimizer: variantSchema(optimizers),
  augmentation: optionSchema(augmentationOptions),
});

const { seed, limitTrain, validation, limitValidation, limitTest, evaluateEvery, saveEvery } = runNumbers;
const files = z.strictObject({ images: z.number().int().nonnegative(), sha256: z.string() }).readonly();

const seconds = z.number().nonnegative();

/** What was decided before the first step, by measuring; see docs/training.md. */
const fitted = z
  .strictObject({
    batch: z.exactOptional(
      z
        .strictObject({
          asked: z.union([z.number(), z.literal('auto')]),
          taken: z.number(),
          reason: z.string(),
        })
        .readonly(),
    ),
    time: z.exactOptional(
      z
        .strictObject({
          seconds,
          steps: z.number().int().positive(),
          stepSeconds: seconds,
          evaluationSeconds: seconds,
        })
        .readonly(),
    ),
  })
  .readonly();

const change = z
  .strictObject({
    /** Completed steps at the change. */
    step: z.number().int().nonnegative(),
    what: z.string(),
    from: z.union([z.string(), z.number()]),
    to: z.union([z.string(), z.number()]),
  })
  .readonly();

/** See `WeightsRecord`. */
const weights = z
  .strictObject({
    source: z.string(),
    sha256: z.string(),
    kept: z.array(z.string()).readonly(),
    reinitialised: z.array(z.string()).readonly(),
    auxiliary: z.enum(['kept', 'new', 'dropped', 'none']),
    changed: z.array(z.string()).readonly(),
    decisions: z.array(z.string()).readonly(),
  })
  .readonly();

/** A change made when the run was resumed. */
export type ConfigurationChange = z.infer<typeof change>;

const configuration = z
  .strictObject({
    /** Version of this format. */
    format: z.literal(1),
    network: z.string(),
    /** See `ModelDescription.figure`. */
    figure: z.exactOptional(figureSchema),
    options: networkOptionsSchema,
    /** 'fashion-mnist' or the whole path of a folder. */
    data: z.string(),
    /** The files of each split, before any limit; runs of earlier versions do not have it. */
    files: z.exactOptional(
      z
        .strictObject({ train: files, validation: z.exactOptional(files), test: z.exactOptional(files) })
        .readonly(),
    ),
    /**
     * Where the validation images come from: a folder of their own, or that fraction of each class's training images, 0 for none.
     * Runs of earlier versions do not have it: they were evaluated on the test images, or else on those of training.
     */
    validation: z.exactOptional(z.union([z.literal('folder'), valueSchema(validation)])),
    classes: z.array(z.string()).readonly(),
    /** Identifiers of the classes, such as ImageNet's synsets, where the data have both. */
    classIds: z.exactOptional(z.array(z.string()).readonly()),
    preprocessing: preprocessingSchema,
    recipe: z.preprocess(upgradeRecipe, recipe).readonly(),
    /** What of the recipe was fitted to the memory and to a budget of time. */
    fitted: z.exactOptional(fitted),
    seed: valueSchema(seed),
    precision: z.enum(['float32', 'bfloat16']),
    device: z.enum(['cpu', 'cuda']),
    threads: valueSchema(threads),
    /** Processes that share the replicas; without it, one. */
    processes: z.exactOptional(z.number().int().positive()),
    /** What an evaluation is better by, where the best one is the model or ends a patience. Without it: the top-1 error. */
    chosenBy: z.exactOptional(z.enum(criteria)),
    /** Of the options of a command that a launcher may start again, which then goes on with this run and no other. */
    asked: z.exactOptional(z.string()),
    /** Maximum number of training images; null for all. */
    limitTrain: valueSchema(limitTrain).nullable(),
    /** Maximum number of validation images; null for all. */
    limitValidation: z.exactOptional(valueSchema(limitValidation).nullable()),
    /** Maximum number of test images; null for all. */
    limitTest: valueSchema(limitTest).nullable(),
    /** What the run began with, where that are no initial values. */
    weights: z.exactOptional(weights),
    /** Classifiers on fixed features: the run's model itself, or measured before its training. */
    probe: z.exactOptional(probeSchema),
    /** What was decided in the user's place, or is left out, a sentence each. */
    decisions: z.exactOptional(z.array(z.string()).readonly()),
    /** Epochs between evaluations. */
    evaluateEvery: z.exactOptional(valueSchema(evaluateEvery)),
    /** Steps between additional checkpoints. */
    saveEverySteps: z.exactOptional(valueSchema(saveEvery)),
    versions: z.strictObject({ inception: z.string(), libtorch: z.string(), node: z.string() }).readonly(),
    /** Where it was begun; runs of earlier versions do not have it. */
    machine: z.exactOptional(
      z
        .strictObject({
          /** The processor's name, or the accelerator's. */
          hardware: z.string(),
          cores: z.number().int().positive(),
          memoryBytes: z.number().positive(),
          system: z.string(),
        })
        .readonly(),
    ),
    /** What was changed when the run was resumed, oldest first. */
    changes: z.exactOptional(z.array(change).readonly()),
  })
  .readonly();

/** The full configuration of a run, with every default resolved. */
export type Configuration = z.infer<typeof configuration>;

/** A run folder is missing, invalid or in use. */
export class RunError extends InceptionError {
  override name = 'RunError';
}

/** Parses a configuration strictly. @throws RunError naming the file and every invalid key. */
export const parseConfiguration = (text: string, path: string): Configuration =>
  parseJson(text, { schema: configuration, path, Failure: RunError });

/** Upgrades a recipe written before optimisers were selectable, or before fine-tuning. */
function upgradeRecipe(recipe: unknown): unknown {
  if (typeof recipe !== 'object' || recipe === null) return recipe;
  const whole: Record<string, unknown> = { ...unusedNumbers, ...recipe };
  const key = 'distortion' in whole ? 'distortion' : 'augmentation';
  const { [key]: augmentation } = whole;
  if (typeof augmentation === 'object') whole[key] = { ...unusedAugmentation, ...augmentation };
  if (!('rmsDecay' in whole)) return whole;
  const { rmsDecay, rmsEpsilon, momentum, distortion, ...rest } = whole as Record<string, unknown>;
  const optimizer = { kind: 'rmsprop', decay: rmsDecay, epsilon: rmsEpsilon, momentum };
  return { ...rest, optimizer, augmentation: distortion };
}

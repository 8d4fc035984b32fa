/** The full configuration of a run, with every default resolved: `config.json` of its folder. */
import { z } from 'zod';
import { optimizers } from '../compile/optimizers/optimizers.ts';
import { InceptionError } from '../errors.ts';
import { augmentationOptions } from '../images/augmentation.ts';
import { networkOptionsSchema, preprocessingSchema } from '../model/description.ts';
import { figureSchema } from '../model/figure-schema.ts';
import { optionSchema, variantSchema } from '../model/option-schema.ts';
import { parseJson } from '../parse-json.ts';
import { recipeNumbers, schedules } from './recipe-options.ts';

const recipe = optionSchema(recipeNumbers).extend({
  name: z.string(),
  schedule: variantSchema(schedules),
  optimizer: variantSchema(optimizers),
  augmentation: optionSchema(augmentationOptions),
});

const images = z.number().int().positive().nullable();

const configuration = z
  .strictObject({
    /** Version of this format. */
    format: z.literal(1),
    network: z.string(),
    /** See `ModelDescription.figure`. */
    figure: z.exactOptional(figureSchema),
    options: networkOptionsSchema,
    /** The value of --data. */
    data: z.string(),
    classes: z.array(z.string()).readonly(),
    preprocessing: preprocessingSchema,
    recipe: z.preprocess(upgradeRecipe, recipe).readonly(),
    seed: z.number(),
    precision: z.enum(['float32', 'bfloat16']),
    device: z.enum(['cpu', 'cuda']),
    threads: z.number(),
    /** Maximum number of training images; null for all. */
    limitTrain: images,
    /** Maximum number of test images; null for all. */
    limitTest: images,
    versions: z.strictObject({ inception: z.string(), libtorch: z.string(), node: z.string() }).readonly(),
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

/** Upgrades a recipe written before optimisers were selectable. */
function upgradeRecipe(recipe: unknown): unknown {
  if (typeof recipe !== 'object' || recipe === null || !('rmsDecay' in recipe)) return recipe;
  const { rmsDecay, rmsEpsilon, momentum, distortion, ...rest } = recipe as Record<string, unknown>;
  const optimizer = { kind: 'rmsprop', decay: rmsDecay, epsilon: rmsEpsilon, momentum };
  return { ...rest, optimizer, augmentation: distortion };
}

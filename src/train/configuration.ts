/** What a run was asked to do, resolved to the last number: `config.json` of its folder. */
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
    /** As --data takes it. */
    data: z.string(),
    classes: z.array(z.string()).readonly(),
    preprocessing: preprocessingSchema,
    recipe: z.preprocess(upgraded, recipe).readonly(),
    seed: z.number(),
    precision: z.enum(['float32', 'bfloat16']),
    device: z.enum(['cpu', 'cuda']),
    threads: z.number(),
    /** Images of the training split that are used; null takes all. */
    limitTrain: images,
    /** The same for the test split. */
    limitTest: images,
    versions: z.strictObject({ inception: z.string(), libtorch: z.string(), node: z.string() }).readonly(),
  })
  .readonly();

/** What a run was asked to do, resolved to the last number. */
export type Configuration = z.infer<typeof configuration>;

/** A run folder that is not there, is broken, or is in use. */
export class RunError extends InceptionError {
  override name = 'RunError';
}

/** Reads a configuration strictly. @throws RunError naming the file and every key that does not fit. */
export const parseConfiguration = (text: string, path: string): Configuration =>
  parseJson(text, { schema: configuration, path, Failure: RunError });

/** A recipe of before there was a choice of optimisers. */
function upgraded(recipe: unknown): unknown {
  if (typeof recipe !== 'object' || recipe === null || !('rmsDecay' in recipe)) return recipe;
  const { rmsDecay, rmsEpsilon, momentum, distortion, ...rest } = recipe as Record<string, unknown>;
  const optimizer = { kind: 'rmsprop', decay: rmsDecay, epsilon: rmsEpsilon, momentum };
  return { ...rest, optimizer, augmentation: distortion };
}

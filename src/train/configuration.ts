/** What a run was asked to do, resolved to the last number: `config.json` of its folder. */

import { z } from 'zod';
import { InceptionError } from '../errors.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import { networkOptionsSchema, preprocessingSchema } from '../model/description.ts';
import { figureSchema } from '../model/figure-schema.ts';
import type { NetworkOptions } from '../networks/networks.ts';
import type { Network } from '../networks/notation.ts';
import { parseJson } from '../parse-json.ts';
import type { Recipe } from './recipe.ts';

/** What a run was asked to do, resolved to the last number. */
export interface Configuration {
  /** Version of this format. */
  readonly format: 1;
  readonly network: string;
  /** See {@link ModelDescription.figure}. */
  readonly figure?: Network;
  readonly options: NetworkOptions;
  readonly data: string;
  readonly classes: readonly string[];
  readonly preprocessing: Preprocessing;
  readonly recipe: Recipe;
  readonly seed: number;
  readonly precision: 'float32' | 'bfloat16';
  readonly device: 'cpu' | 'cuda';
  readonly threads: number;
  /** Images of the training and of the test split that are used; null takes all. */
  readonly limitTrain: number | null;
  readonly limitTest: number | null;
  readonly versions: { readonly inception: string; readonly libtorch: string; readonly node: string };
}

const pair = z.tuple([z.number(), z.number()]);

const recipe = z.strictObject({
  name: z.string(),
  epochs: z.number(),
  batch: z.number(),
  learningRate: z.number(),
  schedule: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('staircase'), factor: z.number(), every: z.number() }),
    z.strictObject({ kind: z.literal('cosine'), warmup: z.number() }),
  ]),
  rmsDecay: z.number(),
  rmsEpsilon: z.number(),
  momentum: z.number(),
  weightDecay: z.number(),
  labelSmoothing: z.number(),
  auxiliaryLossWeight: z.number(),
  batchNormMomentum: z.number(),
  averageDecay: z.number(),
  clipNorm: z.number().nullable(),
  distortion: z.strictObject({
    area: pair.nullable(),
    aspect: pair,
    shift: z.number(),
    flip: z.boolean(),
    colour: z.boolean(),
    erase: z.number(),
  }),
  evaluationCrop: z.number(),
});

const configuration = z.strictObject({
  format: z.literal(1),
  network: z.string(),
  figure: figureSchema.optional(),
  options: networkOptionsSchema,
  data: z.string(),
  classes: z.array(z.string()),
  preprocessing: preprocessingSchema,
  recipe,
  seed: z.number(),
  precision: z.enum(['float32', 'bfloat16']),
  device: z.enum(['cpu', 'cuda']),
  threads: z.number(),
  limitTrain: z.number().nullable(),
  limitTest: z.number().nullable(),
  versions: z.strictObject({ inception: z.string(), libtorch: z.string(), node: z.string() }),
});

/** A run folder that is not there, is broken, or is in use. */
export class RunError extends InceptionError {
  override name = 'RunError';
}

/** Reads a configuration strictly. @throws RunError naming the file and every key that does not fit. */
export function parseConfiguration(text: string, path: string): Configuration {
  return parseJson(text, { schema: configuration, path, Failure: RunError }) as Configuration;
}

/**
 * A model's description, stored as JSON in the metadata of every model file: the network with its options, the labels, and the
 * preprocessing that the weights were trained with.
 */

import { z } from 'zod';
import { InceptionError } from '../errors.ts';
import { buildGraph } from '../graph/build-graph.ts';
import type { Graph } from '../graph/graph.ts';
import { type Preprocessing, protocols } from '../images/preprocess.ts';
import { resamplingKernels } from '../images/resize.ts';
import type { Int8Ranges } from '../int8/quantisation.ts';
import { calibrationMethods } from '../int8/range-finding.ts';
import { maxSide, type NetworkOptions, networkOptions } from '../networks/network-options.ts';
import { configure, findNetwork, registeredNetwork } from '../networks/networks.ts';
import type { Network } from '../networks/notation.ts';
import { describeIssues, parseJson } from '../parse-json.ts';
import { figureSchema } from './figure-schema.ts';
import { partialOptionSchema } from './option-schema.ts';

/** The description that a model file holds besides its tensors. */
export interface ModelDescription {
  readonly network: string;
  /** The figure of a network that is not part of the package, so that its models open anywhere. */
  readonly figure?: Network;
  readonly options: NetworkOptions;
  /** The label of each output, in order; empty for a network without a classifier. */
  readonly classes: readonly string[];
  /** The data set's identifiers of the classes, where they differ from the labels: ImageNet's synsets. */
  readonly classIds?: readonly string[];
  readonly preprocessing: Preprocessing;
  /** Where the weights come from, as text. */
  readonly source?: string;
  /** What was chosen, assumed or left out when they were imported, a sentence each. */
  readonly decisions?: readonly string[];
  /** The data set that they were trained on, in the form of --data. */
  readonly data?: string;
  /** Its validation images: a `folder` of their own, or that fraction of the training images, 0 for none. */
  readonly validation?: 'folder' | number;
  /** Of an int8 model: the ranges of its activations. Its weights are float32, like any model's. */
  readonly int8?: Int8Ranges;
}

/** A model that is missing, or whose description is incomplete. */
export class ModelError extends InceptionError {
  override name = 'ModelError';
}

const side = z.int().min(1).max(maxSide);
const mean = z.number().min(-1000).max(1000);
const deviation = z.number().min(1e-6, 'expected a standard deviation above 0').max(1000);
/** Bounds beyond which the network's input would overflow or be constant. */
export const meanSchema = z.tuple([mean, mean, mean]);
export const stdSchema = z.tuple([deviation, deviation, deviation]);
/** A smaller crop would be resized to an image of more than ten times the input's side. */
export const cropSchema = z.number().min(0.1).max(1);
/** The numbers of a preprocessing that a caller may override. */
const scalingSchema = z.object({
  crop: cropSchema.optional(),
  mean: meanSchema.optional(),
  std: stdSchema.optional(),
});

/** @throws ModelError for values that would make every image alike. */
export function checkScaling(preprocessing: Partial<Preprocessing> | undefined, source: string): void {
  const result = scalingSchema.safeParse(preprocessing ?? {});
  if (!result.success)
    throw new ModelError(`${source}: ${describeIssues(result.error.issues, { root: 'preprocessing' })}`);
}

export const networkOptionsSchema = partialOptionSchema(networkOptions);

export const preprocessingSchema: z.ZodType<Preprocessing> = z.strictObject({
  size: z.tuple([side, side]),
  channels: z.exactOptional(z.int().min(1).max(1024)),
  protocol: z.enum(protocols),
  crop: cropSchema,
  kernel: z.enum(resamplingKernels),
  mean: meanSchema,
  std: stdSchema,
});

const edge = z.number().min(-1e30).max(1e30);

/** Every range contains 0, which padding and ReLUs need. */
const rangeSchema = z
  .tuple([edge, edge])
  .refine(([low, high]) => low <= 0 && high >= 0, 'expected [low, high] with 0 between them');

const int8Schema = z.strictObject({
  method: z.enum(calibrationMethods),
  data: z.string(),
  images: z.int().min(1),
  ranges: z
    .record(z.string(), rangeSchema)
    .refine((ranges) => Object.keys(ranges).length > 0, 'expected the range of at least one value'),
});

// Not strict: a run's configuration is a description with more keys.
const description = z.object({
  network: z.string(),
  figure: figureSchema.optional(),
  options: networkOptionsSchema,
  classes: z.array(z.string()),
  classIds: z.array(z.string()).optional(),
  preprocessing: preprocessingSchema,
  source: z.string().optional(),
  decisions: z.array(z.string()).optional(),
  data: z.string().optional(),
  validation: z.union([z.literal('folder'), z.number().min(0).lt(1)]).optional(),
  int8: int8Schema.optional(),
});

/** Reads a description. @throws ModelError naming the file and every invalid key. */
export function parseDescription(text: string, path: string): ModelDescription {
  return parseJson(text, { schema: description, path, Failure: ModelError }) as ModelDescription;
}

type Described = Pick<ModelDescription, 'network' | 'figure'>;

/** The network that a description names or holds. @throws NetworkOptionError if it does neither. */
export const networkOf = ({ network, figure }: Described): Network => figure ?? findNetwork(network);

/** The graph of a described model. */
export const graphOf = (description: Described & Pick<ModelDescription, 'options'>): Graph =>
  buildGraph(configure(networkOf(description), description.options));

/** Adds the figure of a registered network, for a file that will be opened elsewhere. */
export function withFigure<T extends Described>(description: T): T {
  const figure = description.figure ?? registeredNetwork(description.network);
  return figure ? { ...description, figure } : description;
}

/** The metadata of a model's file. */
export const modelMetadata = (model: ModelDescription): Record<string, string> => {
  const { network, figure, options, classes, classIds, preprocessing, ...others } = withFigure(model);
  const { source, decisions, data, validation, int8 } = others;
  return {
    format: 'pt',
    model: JSON.stringify({
      network,
      ...(figure && { figure }),
      options,
      classes,
      ...(classIds && { classIds }),
      preprocessing,
      ...(source !== undefined && { source }),
      ...(decisions && { decisions }),
      ...(data !== undefined && { data }),
      ...(validation !== undefined && { validation }),
      ...(int8 && { int8 }),
    }),
  };
};

/**
 * Reads and writes the config.json of a model on the hub, with the keys that timm writes; the values follow from the
 * records of the dialects.
 */
import { z } from 'zod';
import { classifierParameters, firstConvolutions, type Parameter } from '../../graph/graph.ts';
import { centralCrop, type Preprocessing } from '../../images/preprocess.ts';
import type { ResamplingKernel } from '../../images/resize.ts';
import {
  cropSchema,
  graphOf,
  type ModelDescription,
  ModelError,
  meanSchema,
  stdSchema,
} from '../../model/description.ts';
import { findNetwork } from '../../networks/networks.ts';
import { parseJson } from '../../parse-json.ts';
import { quoted } from '../../printable.ts';
import type { Dialect, HubWords } from '../dialect.ts';
import { type DialectName, dialects, networkOf } from '../dialects.ts';
import { labelsSchema, listLabels } from '../hub-labels.ts';
import type { ImportOptions } from '../import/plan-import.ts';

const labels = {
  /** A list, or an object by index where indices are left out. */
  label_names: labelsSchema.optional(),
  label_descriptions: z.record(z.string(), z.string()).optional(),
  /** The older name of `label_names`. */
  labels: labelsSchema.optional(),
};

const maxClasses = 1_000_000;
const side = z.int().min(1).max(4096);
const pretrained = {
  input_size: z.tuple([z.int().min(1), side, side]).optional(),
  interpolation: z.string().optional(),
  crop_pct: cropSchema.optional(),
  crop_mode: z.string().optional(),
  mean: meanSchema.optional(),
  std: stdSchema.optional(),
  num_classes: z.int().min(0).max(maxClasses).optional(),
  label_offset: z.int().min(0).max(maxClasses).optional(),
  ...labels,
};

/** The keys of config.json that are read; others are ignored. Older files have all of them at the top. */
const schema = z.object({
  architecture: z.string(),
  ...pretrained,
  pretrained_cfg: z.object(pretrained).optional(),
});

interface KnownArchitecture {
  readonly dialect: Dialect<DialectName>;
  readonly hub: HubWords;
  readonly network: string;
  /** Of the weights that an older name stood for, if the file does not say it. */
  readonly preprocessing?: Partial<Preprocessing>;
}

const architectures: ReadonlyMap<string, KnownArchitecture> = new Map(
  dialects.flatMap((dialect) =>
    Object.entries(dialect.networks).flatMap(([network, { architecture, legacyArchitectures = {} }]) => {
      const { hub } = dialect;
      if (!hub || architecture === undefined) return [];
      const known = { dialect, hub, network };
      return [
        [architecture, known] as const,
        ...Object.entries(legacyArchitectures).map(
          ([name, preprocessing]) => [name, { ...known, preprocessing }] as const,
        ),
      ];
    }),
  ),
);

/** The only supported crop mode. */
const centre = 'center';

/** The file says a network that is not one of these. */
export class UnknownArchitectureError extends ModelError {
  override name = 'UnknownArchitectureError';
}

/** A config.json as options of an import, and what was decided on reading it, a sentence each. */
export interface HubConfig {
  readonly options: ImportOptions & Required<Pick<ImportOptions, 'from' | 'network'>>;
  readonly decisions: readonly string[];
}

/** Reads a config.json. @throws ModelError naming the file and an unknown value; UnknownArchitectureError for another network. */
export function readHubConfig(text: string, path: string): HubConfig {
  const {
    architecture,
    pretrained_cfg: nested,
    ...top
  } = parseJson(text, { schema, path, Failure: ModelError });
  const pretrained = nested ?? top;
  // timm appends the name of the weights: inception_v3.tf_in1k.
  const known = architectures.get(architecture) ?? architectures.get(architecture.replace(/\..*$/, ''));
  if (!known)
    throw new UnknownArchitectureError(
      `${path}: unknown architecture ${quoted(architecture)}; expected one of ${[...architectures.keys()].join(', ')}`,
    );
  const { dialect, network, hub } = known;
  if (pretrained.crop_mode !== undefined && pretrained.crop_mode !== centre)
    throw new ModelError(`${path}: unknown crop mode ${quoted(pretrained.crop_mode)}; expected '${centre}'`);
  const { input } = findNetwork(network);
  const [, height, width] = pretrained.input_size ?? [input[2], input[0], input[1]];
  const expectedClasses = top.num_classes ?? pretrained.num_classes;
  const found = top.label_names ?? top.labels ?? pretrained.label_names ?? pretrained.labels;
  const listed = found && listLabels(found, { path, classes: expectedClasses });
  const names = listed?.names;
  const descriptions = top.label_descriptions ?? pretrained.label_descriptions;
  const described = descriptions && new Map(Object.entries(descriptions));
  const preprocessing: Partial<Preprocessing> = {
    ...dialect.preprocessing,
    ...dialect.networks[network]?.preprocessing,
    ...known.preprocessing,
    ...(pretrained.interpolation !== undefined && {
      kernel: kernelOf(pretrained.interpolation, hub, path),
    }),
    ...(nested || pretrained.crop_pct !== undefined ? { crop: pretrained.crop_pct ?? centralCrop } : {}),
    ...(pretrained.mean && { mean: pretrained.mean }),
    ...(pretrained.std && { std: pretrained.std }),
  };
  return {
    decisions: listed?.decisions ?? [],
    options: {
      from: dialect.name,
      network,
      preprocessing,
      // timm drops the rows before the offset only if the file still has them.
      ...(expectedClasses !== undefined &&
        pretrained.label_offset !== undefined && { expectedClasses, labelOffset: pretrained.label_offset }),
      ...((height !== input[0] || width !== input[1]) && {
        inputSize: height === width ? height : ([height, width] as const),
      }),
      ...(names && { classes: names.map((name) => described?.get(name) ?? name) }),
      ...(names && descriptions && { classIds: names }),
    },
  };
}

function kernelOf(word: string, { interpolations }: HubWords, path: string): ResamplingKernel {
  const kernel = (Object.keys(interpolations) as ResamplingKernel[]).find(
    (name) => interpolations[name] === word,
  );
  if (kernel) return kernel;
  const expected = [...new Set(Object.values(interpolations))].join(' or ');
  throw new ModelError(`${path}: unknown interpolation ${quoted(word)}; expected ${expected}`);
}

/**
 * The config.json of a model in a dialect, which `readHubConfig` reads; undefined if the dialect is not on the hub.
 * @throws NamesError if the dialect does not have the network.
 */
export function hubConfig(
  { network, options, ...model }: ModelDescription,
  dialect: Dialect,
): string | undefined {
  const { architecture, names } = networkOf(dialect, network);
  if (!dialect.hub || architecture === undefined) return undefined;
  const { preprocessing, classes, classIds } = model;
  const [height, width] = preprocessing.size;
  const ids = classIds ?? classes;
  // config.json names the classifier even if the model has none.
  const graph = graphOf({ network, options: { ...options, classes: classes.length || 1 } });
  const nameOf = names(graph);
  const layerOf = (weight: Parameter | undefined) => (weight && nameOf(weight))?.replace(/\.weight$/, '');
  const [classifier] = classifierParameters(graph);
  const config = {
    architecture,
    num_classes: classes.length,
    num_features: classifier?.shape[1],
    label_names: ids,
    ...(classIds && {
      label_descriptions: Object.fromEntries(ids.map((id, index) => [id, classes[index] as string])),
    }),
    pretrained_cfg: {
      input_size: [preprocessing.channels ?? 3, height, width],
      interpolation: dialect.hub.interpolations[preprocessing.kernel],
      crop_pct: preprocessing.crop,
      crop_mode: centre,
      mean: preprocessing.mean,
      std: preprocessing.std,
      num_classes: classes.length,
      pool_size: [8, 8],
      first_conv: layerOf(firstConvolutions(graph)[0]?.parameters.members[0]?.weight),
      classifier: layerOf(classifier),
    },
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/**
 * Reads and writes the config.json of a model on the hub, with the keys that timm writes; the values follow from the
 * records of the dialects.
 */
import { z } from 'zod';
import { classifierParameters, firstConvolutions, type Parameter } from '../graph/graph.ts';
import { centralCrop, type Preprocessing } from '../images/preprocess.ts';
import type { ResamplingKernel } from '../images/resize.ts';
import { graphOf, type ModelDescription, ModelError } from '../model/description.ts';
import { findNetwork } from '../networks/networks.ts';
import { parseJson } from '../parse-json.ts';
import type { Dialect, HubWords } from './dialect.ts';
import { type DialectName, dialects, networkOf } from './dialects.ts';
import type { ImportOptions } from './import/plan-import.ts';

const perChannel = z.tuple([z.number(), z.number(), z.number()]);

/** The keys of config.json that are read; others are ignored. */
const schema = z.object({
  architecture: z.string(),
  num_classes: z.number().optional(),
  label_names: z.array(z.string()).optional(),
  label_descriptions: z.record(z.string(), z.string()).optional(),
  pretrained_cfg: z
    .object({
      input_size: z.tuple([z.number(), z.number(), z.number()]).optional(),
      interpolation: z.string().optional(),
      crop_pct: z.number().optional(),
      crop_mode: z.string().optional(),
      mean: perChannel.optional(),
      std: perChannel.optional(),
      num_classes: z.number().optional(),
      label_offset: z.number().optional(),
      label_names: z.array(z.string()).optional(),
      label_descriptions: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
});

interface KnownArchitecture {
  readonly dialect: Dialect<DialectName>;
  readonly hub: HubWords;
  readonly network: string;
}

const architectures: ReadonlyMap<string, KnownArchitecture> = new Map(
  dialects.flatMap((dialect) =>
    Object.entries(dialect.networks).flatMap(([network, { architecture }]) =>
      dialect.hub && architecture !== undefined
        ? [[architecture, { dialect, hub: dialect.hub, network }] as const]
        : [],
    ),
  ),
);

/** The only supported crop mode. */
const centre = 'center';

/** Reads a config.json as options of an import. @throws ModelError naming the file and an unknown value. */
export function readHubConfig(text: string, path: string): ImportOptions {
  const {
    architecture,
    pretrained_cfg: pretrained = {},
    ...top
  } = parseJson(text, { schema, path, Failure: ModelError });
  const known = architectures.get(architecture);
  if (!known)
    throw new ModelError(
      `${path}: unknown architecture '${architecture}'; expected one of ${[...architectures.keys()].join(', ')}`,
    );
  const { dialect, network, hub } = known;
  if (pretrained.crop_mode !== undefined && pretrained.crop_mode !== centre)
    throw new ModelError(`${path}: unknown crop mode '${pretrained.crop_mode}'; expected '${centre}'`);
  const { input } = findNetwork(network);
  const [, height, width] = pretrained.input_size ?? [input[2], input[0], input[1]];
  const names = top.label_names ?? pretrained.label_names;
  const descriptions = top.label_descriptions ?? pretrained.label_descriptions;
  const expectedClasses = top.num_classes ?? pretrained.num_classes;
  const preprocessing: Partial<Preprocessing> = {
    ...dialect.preprocessing,
    ...(pretrained.interpolation !== undefined && {
      kernel: kernelOf(pretrained.interpolation, hub, path),
    }),
    crop: pretrained.crop_pct ?? centralCrop,
    ...(pretrained.mean && { mean: pretrained.mean }),
    ...(pretrained.std && { std: pretrained.std }),
  };
  return {
    from: dialect.name,
    network,
    preprocessing,
    // timm drops the rows before the offset only if the file still has them.
    ...(expectedClasses !== undefined &&
      pretrained.label_offset !== undefined && { expectedClasses, labelOffset: pretrained.label_offset }),
    ...((height !== input[0] || width !== input[1]) && {
      inputSize: height === width ? height : ([height, width] as const),
    }),
    ...(names && { classes: names.map((name) => descriptions?.[name] ?? name) }),
    ...(names && descriptions && { classIds: names }),
  };
}

function kernelOf(word: string, { interpolations }: HubWords, path: string): ResamplingKernel {
  const kernel = (Object.keys(interpolations) as ResamplingKernel[]).find(
    (name) => interpolations[name] === word,
  );
  if (kernel) return kernel;
  const expected = [...new Set(Object.values(interpolations))].join(' or ');
  throw new ModelError(`${path}: unknown interpolation '${word}'; expected ${expected}`);
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

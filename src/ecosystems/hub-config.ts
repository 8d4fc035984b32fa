/**
 * The config.json of a model on the hub, read and written: what it means follows from the dialects that have one. Its keys
 * are those that timm writes.
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

/** What is read of a config.json; there is more in it. */
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

/** The only cut that is known here. */
const centre = 'center';

/** Reads a config.json as options of an import. @throws ModelError naming the file and what is not known here. */
export function readHubConfig(text: string, path: string): ImportOptions {
  const {
    architecture,
    pretrained_cfg: pretrained = {},
    ...top
  } = parseJson(text, { schema, path, Failure: ModelError });
  const known = architectures.get(architecture);
  if (!known)
    throw new ModelError(
      `${path}: the architecture '${architecture}' is none of ${[...architectures.keys()].join(', ')}`,
    );
  const { dialect, network, hub } = known;
  if (pretrained.crop_mode !== undefined && pretrained.crop_mode !== centre)
    throw new ModelError(
      `${path}: the crop mode '${pretrained.crop_mode}' is not known here; expected '${centre}'`,
    );
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
    // timm drops the rows before the offset only where the file still has them.
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
    (each) => interpolations[each] === word,
  );
  if (kernel) return kernel;
  throw new ModelError(`${path}: the interpolation '${word}' is not known here`);
}

/**
 * The config.json of a model in a dialect's words, which `readHubConfig` reads; undefined if the dialect has none.
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
  // It tells of the classifier also where there is none.
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

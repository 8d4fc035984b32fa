/** A model of the hub: its config.json says what it is, in timm's words, and its weights are timm's. */
import { z } from 'zod';
import { hubFile, hubSettings, parseHubName } from '../hub/hub.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import type { Kernel } from '../images/resize.ts';
import { ModelError } from '../model/description.ts';
import type { Notices } from '../model/model-file.ts';
import { parseJson } from '../parse-json.ts';
import type { ImportOptions } from './plan-import.ts';

const perChannel = z.tuple([z.number(), z.number(), z.number()]);

/** What is read of a config.json; there is more in it. */
const config = z.object({
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

const architectures: Readonly<Record<string, string>> = {
  inception_v3: 'inception-v3',
  inception_v4: 'inception-v4',
  inception_resnet_v2: 'inception-resnet-v2-released',
};

const interpolations: Readonly<Record<string, Kernel>> = {
  bicubic: 'pillow-bicubic',
  bilinear: 'pillow-bilinear',
};

/** Reads a config.json as options of an import. @throws ModelError naming the file and what is not known here. */
export function readHubConfig(text: string, path: string): ImportOptions & { expectedClasses?: number } {
  const {
    architecture,
    pretrained_cfg: pretrained = {},
    ...top
  } = parseJson(text, { schema: config, path, Failure: ModelError });
  const network = Object.hasOwn(architectures, architecture) ? architectures[architecture] : undefined;
  if (network === undefined)
    throw new ModelError(
      `${path}: the architecture '${architecture}' is none of ${Object.keys(architectures).join(', ')}`,
    );
  const kernel = interpolations[pretrained.interpolation ?? 'bicubic'];
  if (!kernel)
    throw new ModelError(`${path}: the interpolation '${pretrained.interpolation}' is not known here`);
  if (pretrained.crop_mode !== undefined && pretrained.crop_mode !== 'center')
    throw new ModelError(
      `${path}: the crop mode '${pretrained.crop_mode}' is not known here; expected 'center'`,
    );
  const [, height, width] = pretrained.input_size ?? [3, 299, 299];
  const names = top.label_names ?? pretrained.label_names;
  const descriptions = top.label_descriptions ?? pretrained.label_descriptions;
  const preprocessing: Partial<Preprocessing> = {
    protocol: 'timm',
    kernel,
    crop: pretrained.crop_pct ?? 0.875,
    ...(pretrained.mean && { mean: pretrained.mean }),
    ...(pretrained.std && { std: pretrained.std }),
  };
  const expectedClasses = top.num_classes ?? pretrained.num_classes;
  return {
    from: 'timm',
    network,
    preprocessing,
    ...(expectedClasses !== undefined && { expectedClasses }),
    ...(pretrained.label_offset !== undefined && { labelOffset: pretrained.label_offset }),
    ...((height !== 299 || width !== 299) && { inputSize: [height, width] as const }),
    ...(names && { classes: names.map((name) => descriptions?.[name] ?? name) }),
    ...(names && descriptions && { classIds: names }),
  };
}

/** The paths in the cache of a hub model's two files. */
export async function pullHubModel(
  name: string,
  { onNotice, onProgress }: Notices = {},
): Promise<{ repository: string; config: string; weights: string }> {
  const { repository, revision } = parseHubName(name);
  const settings = await hubSettings();
  const get = (file: string, optional: boolean) =>
    hubFile({
      repository,
      revision,
      file,
      settings,
      optional,
      ...(onNotice && { onNotice }),
      ...(onProgress && { onProgress }),
    });
  const config = (await get('config.json', false)) as string;
  const weights =
    (await get('model.safetensors', true)) ?? ((await get('pytorch_model.bin', false)) as string);
  return { repository, config, weights };
}

/** Metadata of the server and its models, as in the Open Inference Protocol and Triton's extensions. */
import { modelVersion, type ServedModel, type TensorSpec } from '../models/served-model.ts';
import type { ServerSettings } from '../settings.ts';

/** Triton's names of the extensions. */
const extensions = [
  'classification',
  'binary_tensor_data',
  'model_repository',
  'model_configuration',
  'statistics',
];

export const serverMetadata = (version: string) => ({ name: 'inception', version, extensions });

const tensorMetadata = ({ name, datatype, shape }: TensorSpec) => ({ name, datatype, shape: [-1, ...shape] });

export const modelMetadata = ({ name, platform, input, output }: ServedModel) => ({
  name,
  versions: [modelVersion],
  platform,
  inputs: [tensorMetadata(input)],
  outputs: [tensorMetadata(output)],
});

const tensorConfig = ({ name, datatype, shape }: TensorSpec) => ({
  name,
  data_type: `TYPE_${datatype}`,
  dims: shape,
});

/** Triton's model configuration, as far as it applies here. */
export const modelConfig = (
  { name, platform, input, output, batch }: ServedModel,
  { images, waitMs }: Pick<ServerSettings, 'images' | 'waitMs'>,
) => ({
  name,
  platform,
  backend: '',
  version_policy: { latest: { num_versions: 1 } },
  // The limit of a request; the queue splits what is larger than a batch.
  max_batch_size: images,
  input: [{ ...tensorConfig(input), format: 'FORMAT_NHWC' }],
  output: [tensorConfig(output)],
  dynamic_batching: {
    preferred_batch_size: [batch],
    max_queue_delay_microseconds: Math.round(waitMs * 1000),
  },
});

export const repositoryIndex = (
  models: Iterable<ServedModel>,
  { unready }: { readonly unready: (model: ServedModel) => string | undefined },
) =>
  Array.from(models, (model) => {
    const reason = unready(model);
    return {
      name: model.name,
      version: modelVersion,
      state: reason === undefined ? 'READY' : 'UNAVAILABLE',
      reason: reason ?? '',
    };
  });

/** Writes models in the project's format: safetensors with a description in the metadata. */
import type { Parameter } from '../graph/graph.ts';
import { writeSafetensors } from '../weights/safetensors/safetensors.ts';
import { modelMetadata } from './description.ts';
import type { ModelFile } from './model-file.ts';

/** Writes a model with its description: the format of `train` and `import`. */
export async function writeModel(
  path: string,
  {
    description,
    read,
    parameters,
  }: Pick<ModelFile, 'description' | 'read'> & { readonly parameters: readonly Parameter[] },
): Promise<void> {
  const tensors = parameters.map((parameter) => ({
    name: parameter.name,
    dtype: 'F32',
    shape: parameter.shape,
    read: () => read(parameter),
  }));
  await writeSafetensors(path, { tensors, metadata: modelMetadata(description) });
}

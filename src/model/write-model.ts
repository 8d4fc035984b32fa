/** Writes models in the project's format: safetensors with a description in the metadata. */
import type { Parameter } from '../graph/graph.ts';
import { writeSafetensors } from '../weights/safetensors/safetensors.ts';
import { ModelError, modelMetadata } from './description.ts';
import type { ModelFile } from './model-file.ts';
import { nonFinite } from './non-finite.ts';

/**
 * Writes a model with its description: the format of `train` and `import`.
 * @throws ModelError if a value is not a finite number.
 */
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
    read: async () => {
      const values = await read(parameter);
      const problem = nonFinite(parameter.name, values);
      if (problem) throw new ModelError(`${problem}; no model was written`);
      return values;
    },
  }));
  await writeSafetensors(path, { tensors, metadata: modelMetadata(description) });
}

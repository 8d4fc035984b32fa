/** Weights at the input size and with the preprocessing of a run, which may be others than their own. */
import { graphOf } from '../../model/description.ts';
import type { ModelFile } from '../../model/model-file.ts';
import type { Configuration } from '../configuration/configuration.ts';

export function atInputSizeOf(
  { preprocessing }: Pick<Configuration, 'preprocessing'>,
  model: ModelFile,
): ModelFile {
  const { description } = model;
  const options = { ...description.options, inputSize: preprocessing.size };
  const changed = { ...description, options, preprocessing };
  return { ...model, description: changed, graph: graphOf(changed) };
}

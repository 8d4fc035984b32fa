/** Applies overrides of labels and preprocessing to a weights model. */
import { UsageError } from '../errors.ts';
import { checkScaling, type ModelDescription, ModelError } from '../model/description.ts';
import type { ModelFile } from '../model/model-file.ts';
import type { ModelOverrides } from './predicting-model.ts';

/** @throws ModelError if the number of labels does not match the outputs, UsageError for options that weights determine themselves. */
export function applyOverrides(
  model: ModelFile,
  { classes, preprocessing, probabilities }: ModelOverrides = {},
): ModelFile {
  const { source, description, graph } = model;
  if (probabilities !== undefined)
    throw new UsageError(`probabilities: ${source} is not an .onnx file; the kind of its outputs is known`);
  const [height, width] = description.preprocessing.size;
  const { size = [height, width] } = preprocessing ?? {};
  if (size[0] !== height || size[1] !== width)
    throw new UsageError(
      `preprocessing.size: ${source} needs images of ${height}×${width}, received ${size.join('×')}`,
    );
  checkScaling(preprocessing, source);
  checkLabels(classes, { source, outputs: graph.network.classes });
  return {
    ...model,
    description: {
      ...(classes ? withoutIds(description) : description),
      ...(classes && { classes }),
      preprocessing: { ...description.preprocessing, ...preprocessing },
    },
  };
}

/** Identifiers belong to the labels that are replaced. */
function withoutIds({ classIds: _, ...description }: ModelDescription): ModelDescription {
  return description;
}

/** @throws ModelError */
export function checkLabels(
  classes: readonly string[] | undefined,
  { source, outputs }: { source: string; outputs: number },
): void {
  if (!classes || classes.length === 0 || classes.length === outputs) return;
  throw new ModelError(`${source}: expected ${outputs} labels, one per output, received ${classes.length}`);
}

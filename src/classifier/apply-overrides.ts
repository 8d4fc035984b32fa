/** Overrides of labels and preprocessing: for a weights model, and for an .onnx file. Pure, for the browser too. */
import { UsageError } from '../errors.ts';
import { type Preprocessing, preprocessingPresets } from '../images/preprocess.ts';
import { checkScaling, type ModelDescription, ModelError } from '../model/description.ts';
import type { ModelFile } from '../model/model-file.ts';
import { DeployError } from '../onnx/deploy-error.ts';
import type { SizedByFile } from '../onnx/run/file-input.ts';
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

/** The labels of an .onnx file: those that are known, or `class 0`, `class 1`, … @throws ModelError */
export function labelsFor(
  known: readonly string[] | undefined,
  { source, outputs }: { readonly source: string; readonly outputs: number },
): readonly string[] {
  const labels = known ?? Array.from({ length: outputs }, (_, index) => `class ${index}`);
  checkLabels(labels, { source, outputs });
  return labels;
}

/** Cropping has a reasonable default, scaling has none. @throws DeployError */
export function preprocessingFor(path: string, { mean, std, ...rest }: Partial<Preprocessing>): SizedByFile {
  if (mean && std) return { ...preprocessingPresets.imagenet, ...rest, mean, std };
  throw new DeployError(
    `${path}: the file does not state how images are scaled; expected a preprocessing with 'mean' and 'std' (--preprocessing ${Object.keys(preprocessingPresets).join(', ')}, or --mean and --std)`,
  );
}

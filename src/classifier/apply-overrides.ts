/** Overrides of labels and preprocessing: for a weights model, and for an .onnx file. Pure, for the browser too. */
import { UsageError } from '../errors.ts';
import { type Preprocessing, preprocessingPresets } from '../images/preprocess.ts';
import { checkScaling, type ModelDescription, ModelError } from '../model/description.ts';
import { unnamedLabels } from '../model/imagenet-labels.ts';
import type { ModelFile } from '../model/model-file.ts';
import { DeployError } from '../onnx/deploy-error.ts';
import type { SizedByFile } from '../onnx/run/file-input.ts';
import type { ModelOverrides } from './predicting-model.ts';

/** @throws ModelError if the number of labels does not match the outputs, UsageError for options that weights determine themselves. */
export function applyOverrides(
  model: ModelFile,
  { classes, classIds, preprocessing, probabilities }: ModelOverrides = {},
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
      ...(classes && { classes, ...(classIds && { classIds }) }),
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

interface KnownLabels {
  readonly classes?: readonly string[];
  readonly classIds?: readonly string[];
}

/** The labels of an .onnx file: the overrides', its own, or what its number of outputs suggests, which is said. @throws ModelError */
export function labelsFor(
  file: KnownLabels | undefined,
  {
    overrides,
    source,
    outputs,
    onNotice,
  }: {
    readonly overrides: KnownLabels;
    readonly source: string;
    readonly outputs: number;
    readonly onNotice?: ((line: string) => void) | undefined;
  },
): Pick<ModelDescription, 'classes' | 'classIds'> {
  const { classes, classIds } = overrides.classes ? overrides : (file ?? {});
  if (classes) {
    checkLabels(classes, { source, outputs });
    return { classes, ...(classIds && { classIds }) };
  }
  const { decision, ...labels } = unnamedLabels(outputs);
  if (decision !== undefined) onNotice?.(`${source}: ${decision} (--model-labels FILE gives others)`);
  return labels;
}

/** Cropping has a reasonable default, scaling has none. @throws DeployError */
export function preprocessingFor(path: string, { mean, std, ...rest }: Partial<Preprocessing>): SizedByFile {
  if (mean && std) return { ...preprocessingPresets.imagenet, ...rest, mean, std };
  throw new DeployError(
    `${path}: the file does not state how images are scaled; expected a preprocessing with 'mean' and 'std' (--preprocessing ${Object.keys(preprocessingPresets).join(', ')}, or --mean and --std)`,
  );
}

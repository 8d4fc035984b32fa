/**
 * Metadata of an ONNX file: the whole description of the model under `model`, as in our safetensors files, and entries for other
 * readers.
 */
import type { Preprocessing } from '../images/preprocess.ts';
import { type ModelDescription, modelMetadata, parseDescription } from '../model/description.ts';

/** Images as float32 [n, c, h, w], already scaled, or as bytes [n, h, w, c], which the model scales. */
export type ModelInput = 'float32' | 'uint8';

/** The second output of an export with class activations: float32 [n, classes, h, w]. */
export const classActivationName = 'class_activation';

/** Another output of an export with features: what the classifier and its hidden layers read, float32 [n, features]. */
export const featuresName = 'features';

export interface FileFacts {
  readonly input: ModelInput;
  /** Whether the output is already probabilities. */
  readonly softmax: boolean;
  readonly precision: string;
}

export function onnxMetadata(description: ModelDescription, facts: FileFacts): Record<string, string> {
  const { model } = modelMetadata(description) as { model: string };
  const { preprocessing, classes } = description;
  const range = nominalRange(preprocessing, facts.input);
  return {
    model,
    labels: JSON.stringify(classes),
    preprocessing: JSON.stringify(preprocessing),
    precision: facts.precision,
    output: facts.softmax ? 'probabilities' : classes.length > 0 ? 'logits' : 'features',
    // Read by Windows ML and shown by Netron.
    'Image.BitmapPixelFormat': (preprocessing.channels ?? 3) === 1 ? 'Gray8' : 'Rgb8',
    ...(range && { 'Image.NominalPixelRange': range }),
  };
}

/** Only these ranges have names. */
function nominalRange({ mean, std }: Preprocessing, input: ModelInput): string | undefined {
  if (input === 'uint8') return 'NominalRange_0_255';
  const all = (values: readonly number[], value: number) => values.every((candidate) => candidate === value);
  if (all(mean, 0.5) && all(std, 0.5)) return 'Normalized_1_1';
  return all(mean, 0) && all(std, 1) ? 'Normalized_0_1' : undefined;
}

/** The description in a file's metadata, if it was written by this package. @throws ModelError if it is malformed. */
export function describedBy(
  metadata: ReadonlyMap<string, string>,
  path: string,
): ModelDescription | undefined {
  const model = metadata.get('model');
  return model === undefined ? undefined : parseDescription(model, `${path} (metadata)`);
}

/** Whether a file says that its output is probabilities; undefined if it says nothing. */
export function statedSoftmax(metadata: ReadonlyMap<string, string>): boolean | undefined {
  const output = metadata.get('output');
  return output === undefined ? undefined : output === 'probabilities';
}

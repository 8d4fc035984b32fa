/**
 * What an ONNX file says besides its graph: the whole description of the model under `model`, as our safetensors have it,
 * and what other readers look for.
 */
import type { Preprocessing } from '../images/preprocess.ts';
import { type ModelDescription, modelMetadata, parseDescription } from '../model/description.ts';

/** Images as float32 [n, c, h, w], scaled already, or as bytes [n, h, w, c], which the model scales. */
export type ModelInput = 'float32' | 'uint8';

export interface FileFacts {
  readonly input: ModelInput;
  /** Whether the output are probabilities already. */
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

/** The range has a name for these only. */
function nominalRange({ mean, std }: Preprocessing, input: ModelInput): string | undefined {
  if (input === 'uint8') return 'NominalRange_0_255';
  const all = (values: readonly number[], value: number) => values.every((each) => each === value);
  if (all(mean, 0.5) && all(std, 0.5)) return 'Normalized_1_1';
  return all(mean, 0) && all(std, 1) ? 'Normalized_0_1' : undefined;
}

/** The description in a file's metadata, if it is one of ours. @throws ModelError for one that is broken. */
export function describedBy(
  metadata: ReadonlyMap<string, string>,
  path: string,
): ModelDescription | undefined {
  const model = metadata.get('model');
  return model === undefined ? undefined : parseDescription(model, `${path} (metadata)`);
}

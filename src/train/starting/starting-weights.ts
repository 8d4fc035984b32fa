/** The weights that a training starts from: any model that other commands take, open for reading. */
import { createHash } from 'node:crypto';
import { parametersOf } from '../../graph/graph.ts';
import type { ModelFile, Notices } from '../../model/model-file.ts';
import { openModel } from '../../predict/open-model.ts';
import { WeightsError } from '../../weights/tensor-file.ts';

/** A model to start from. */
export interface StartingWeights {
  readonly model: ModelFile;
  /** Of the values of all parameters, little-endian float32 in the order of the graph: the same whatever file they come in. */
  readonly sha256: string;
  /** What was chosen, assumed or left out when a file of another ecosystem was opened, a sentence each. */
  readonly decisions: readonly string[];
}

/**
 * Opens a model to start from, and reads all of it once, so that a damaged file is refused before anything is written. Close
 * its `model` when its values are no longer needed.
 * @throws ModelError or WeightsError naming the file and what is missing.
 */
export async function openStartingWeights(
  weights: string | ModelFile,
  notices: Notices = {},
): Promise<StartingWeights> {
  const decisions: string[] = [];
  const onNotice = (line: string) => {
    decisions.push(line);
    notices.onNotice?.(line);
  };
  const model =
    typeof weights === 'string'
      ? await withoutStrangeClassifier(
          (options) => openModel(weights, { ...notices, ...options, onNotice }),
          onNotice,
        )
      : weights;
  try {
    return { model, sha256: await hashOf(model), decisions };
  } catch (error) {
    await model.close();
    throw error;
  }
}

/**
 * Opens a model, or all but its classifier where that is one that no network here has, since it would be new in any case.
 * @throws what opening the whole model throws, if the rest cannot be opened either.
 */
export async function withoutStrangeClassifier(
  open: (options: { readonly resetClassifier?: number }) => Promise<ModelFile>,
  onNotice: (line: string) => void,
): Promise<ModelFile> {
  try {
    return await open({});
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    const rest = await open({ resetClassifier: 2 }).catch(() => {
      throw error;
    });
    // What the message says of importing is not for here.
    onNotice(`${error.message.replace(/[:;][^:;]*--reset-classifier.*$/s, '')}: it is left out`);
    return { ...rest, description: { ...rest.description, classes: [] } };
  }
}

async function hashOf(model: ModelFile): Promise<string> {
  const hash = createHash('sha256');
  for (const parameter of parametersOf(model.graph)) {
    const { buffer, byteOffset, byteLength } = await model.read(parameter);
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest('hex');
}

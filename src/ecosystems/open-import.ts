/** Opens weights of another ecosystem as a model: a file, or a model of the hub, whose config.json says what it is. */

import { readFile } from 'node:fs/promises';
import type { Notices } from '../model/model-file.ts';
import { modelKind } from '../model/model-kind.ts';
import { closeOnError } from '../weights/close-on-error.ts';
import { openWeights } from '../weights/open-weights.ts';
import type { TensorFile } from '../weights/tensor-file.ts';
import { pullHubModel, readHubConfig } from './hub-model.ts';
import { type ImportOptions, type ImportPlan, planImport } from './plan-import.ts';

/**
 * Opens a file or `hub:owner/name`. What `options` say goes before what a config.json says. Close the plan when its values
 * have been read.
 * @throws WeightsError with one report of everything that does not fit; ModelError about a config.json.
 */
export async function openImport(path: string, options: ImportOptions & Notices = {}): Promise<ImportPlan> {
  if (modelKind(path) !== 'hub') {
    const file = await openWeights(path);
    return closeOnError(file, () => planImport(file, path, options));
  }
  const { config, weights } = await pullHubModel(path, options);
  const text = await readFile(config, 'utf8');
  const hubOptions = readHubConfig(text, config);
  const file = await openWeights(weights);
  return closeOnError(file, () => planImport(file, path, overlaid(file, hubOptions, options)));
}

function overlaid(
  file: TensorFile,
  { expectedClasses, labelOffset = 0, ...hub }: ReturnType<typeof readHubConfig>,
  options: ImportOptions,
): ImportOptions {
  // timm drops the rows before the offset only where the file still has them.
  const classifier =
    file.tensors.get('last_linear.bias') ?? file.tensors.get('classif.bias') ?? file.tensors.get('fc.bias');
  const surplus = (classifier?.shape[0] ?? 0) - (expectedClasses ?? 0);
  return {
    ...hub,
    ...(labelOffset > 0 && surplus === labelOffset && { labelOffset }),
    ...options,
    preprocessing: { ...hub.preprocessing, ...options.preprocessing },
  };
}

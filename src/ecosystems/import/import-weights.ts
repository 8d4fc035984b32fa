/** Weights of another ecosystem, from a file or the hub: opened as a model, or converted to a model file of this project. */
import { readFile } from 'node:fs/promises';
import { parametersOf } from '../../graph/graph.ts';
import { pullHubModel } from '../../hub/pull-model.ts';
import type { Notices } from '../../model/model-file.ts';
import { modelKind } from '../../model/model-kind.ts';
import { writeModel } from '../../model/write-model.ts';
import { closeOnError } from '../../weights/byte-source.ts';
import { openWeights } from '../../weights/open-weights.ts';
import { readHubConfig } from '../hub-config.ts';
import { type ImportOptions, type ImportPlan, planImport } from './plan-import.ts';

/**
 * Opens a file or `hub:owner/name`. `options` take precedence over config.json. Close the plan after reading its values.
 * @throws WeightsError with one report of every mismatch; ModelError for an unsupported config.json.
 */
export async function openImport(path: string, options: ImportOptions & Notices = {}): Promise<ImportPlan> {
  if (modelKind(path) !== 'hub') return planFile(path, path, options);
  const { config, weights } = await pullHubModel(path, options);
  const hub = readHubConfig(await readFile(config, 'utf8'), config);
  const preprocessing = { ...hub.preprocessing, ...options.preprocessing };
  // An explicit label offset applies whatever the number of outputs in the file.
  const expectedClasses = options.labelOffset === undefined ? hub.expectedClasses : undefined;
  return planFile(weights, path, { ...hub, expectedClasses, ...options, preprocessing });
}

async function planFile(weights: string, source: string, options: ImportOptions): Promise<ImportPlan> {
  const file = await openWeights(weights);
  return closeOnError(file, () => planImport(file, source, options));
}

/**
 * Imports weights from a file or `hub:owner/name` and writes them as a model file with their description.
 * @throws WeightsError with one report of every mismatch; nothing is written then.
 */
export async function importWeights(
  path: string,
  { output, ...options }: ImportOptions & Notices & { readonly output: string },
): Promise<ImportPlan> {
  const plan = await openImport(path, options);
  try {
    const { description, read } = plan;
    await writeModel(output, { description, parameters: parametersOf(plan.graph), read });
    return plan;
  } finally {
    await plan.close();
  }
}

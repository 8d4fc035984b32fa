/** `inception import` as a call: a file of another ecosystem becomes a model of our own. */
import { parametersOf } from '../graph/graph.ts';
import type { OpenModelOptions } from '../model/opened-model.ts';
import { openWeights } from '../weights/open-weights.ts';
import { writeModel } from './export-weights.ts';
import { planHubImport } from './hub-model.ts';
import { type ImportOptions, type ImportPlan, planImport } from './import-weights.ts';

/**
 * Imports weights, of a file or of `hub:owner/name`, and writes them with their description.
 * @throws WeightsError with one report of everything that does not fit; then nothing is written.
 */
export async function importWeights(
  path: string,
  { output, ...options }: ImportOptions & OpenModelOptions & { readonly output: string },
): Promise<ImportPlan> {
  const { plan, close } = path.startsWith('hub:')
    ? await planHubImport(path, { ...options, overrides: options })
    : await planFile(path, options);
  try {
    const sources = new Map(plan.parameters.map((each) => [each.parameter.name, each]));
    await writeModel(output, {
      description: plan.description,
      parameters: parametersOf(plan.graph),
      read: async ({ name }) => (await sources.get(name)?.read()) as Float32Array,
    });
    return plan;
  } finally {
    await close();
  }
}

async function planFile(
  path: string,
  options: ImportOptions,
): Promise<{ plan: ImportPlan; close: () => Promise<void> }> {
  const file = await openWeights(path);
  try {
    return { plan: planImport(file, path, options), close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

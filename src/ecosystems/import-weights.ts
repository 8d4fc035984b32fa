/** `inception import` as a call: a file of another ecosystem becomes a model of our own. */
import { parametersOf } from '../graph/graph.ts';
import type { Notices } from '../model/model-file.ts';
import { writeModel } from './export-weights.ts';
import { openImport } from './open-import.ts';
import type { ImportOptions, ImportPlan } from './plan-import.ts';

/**
 * Imports weights, of a file or of `hub:owner/name`, and writes them with their description.
 * @throws WeightsError with one report of everything that does not fit; then nothing is written.
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

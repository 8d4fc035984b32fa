/** Weights of another ecosystem, from a file or the hub: opened as a model, or converted to a model file of this project. */
import { parametersOf } from '../../graph/graph.ts';
import { pullHubModel } from '../../hub/pull-model.ts';
import type { Notices } from '../../model/model-file.ts';
import { modelKind } from '../../model/model-kind.ts';
import { writeModel } from '../../model/write-model.ts';
import { closeOnError } from '../../weights/byte-source.ts';
import { openWeights } from '../../weights/open-weights.ts';
import { type TensorFile, WeightsError } from '../../weights/tensor-file.ts';
import type { HubConfig } from '../export/hub-config.ts';
import { configBeside, hubFolder, isOwnConfig, readConfigFile } from './hub-folder.ts';
import { type ImportOptions, type ImportPlan, planImport } from './plan-import.ts';

/**
 * Opens a file, a folder in timm's form or `hub:owner/name`. `options` take precedence over config.json. Close the plan after
 * reading its values.
 * @throws WeightsError with one report of every mismatch; ModelError for an unsupported config.json.
 */
export async function openImport(path: string, options: ImportOptions & Notices = {}): Promise<ImportPlan> {
  if (modelKind(path) === 'hub') {
    const { weights, config } = await pullConfigured(path, options);
    const file = await openWeights(weights);
    return closeOnError(file, () => {
      refuseOwn(file, path);
      return planConfigured(file, { source: path, options, config });
    });
  }
  const folder = await hubFolder(path);
  if (folder) {
    const file = await openWeights(folder.weights);
    return closeOnError(file, async () => {
      refuseOwn(file, path);
      return planConfigured(file, { source: path, options, config: await readConfigFile(folder.config) });
    });
  }
  const file = await openWeights(path);
  return closeOnError(file, () => planFile(file, path, options));
}

/**
 * Downloads a model of the hub; `config` is undefined for one in this package's own form, whose weights describe it.
 * @throws HubError; ModelError for an unsupported config.json, before the weights are downloaded
 */
export async function pullConfigured(
  path: string,
  notices: Notices,
): Promise<{ readonly weights: string; readonly config: HubConfig | undefined }> {
  let config: HubConfig | undefined;
  const onConfig = async (file: string) => {
    config = (await isOwnConfig(file)) ? undefined : await readConfigFile(file);
  };
  const { weights } = await pullHubModel(path, { ...notices, onConfig });
  return { weights, config };
}

/** Plans the import of an open file, with what a config.json beside it says. */
export async function planFile(
  file: TensorFile,
  path: string,
  options: ImportOptions = {},
): Promise<ImportPlan> {
  refuseOwn(file, path);
  return planConfigured(file, { source: path, options, config: await configBeside(path, options) });
}

function refuseOwn(file: TensorFile, path: string): void {
  if (file.metadata.has('model'))
    throw new WeightsError(
      `${path}: it is a model of this package already, which every command takes as it is; expected weights of another one`,
    );
}

interface Configured {
  readonly source: string;
  readonly options: ImportOptions;
  readonly config: Partial<HubConfig> | undefined;
}

/** Plans the import of an open file, by what its config.json says. */
export function planConfigured(file: TensorFile, { source, options, config = {} }: Configured): ImportPlan {
  const { options: configured, decisions = [] } = config;
  const plan = planImport(file, source, configured ? merged(configured, options) : options);
  return { ...plan, decisions: [...decisions, ...plan.decisions] };
}

/** The caller's options before those of a config.json. */
function merged(config: ImportOptions, options: ImportOptions): ImportOptions {
  const { labelOffset, resetClassifier } = options;
  // Of a classifier that is replaced, neither labels nor their offset are of use.
  const { classes, classIds, labelOffset: theirOffset, expectedClasses, ...rest } = config;
  return {
    ...(resetClassifier === undefined ? config : rest),
    // An explicit label offset applies whatever the number of outputs in the file.
    ...(labelOffset !== undefined && { expectedClasses: undefined }),
    ...options,
    ...(options.classes && classIds && !options.classIds && { classIds: [] }),
    preprocessing: { ...config.preprocessing, ...options.preprocessing },
  };
}

/**
 * Imports weights from a file, a folder in timm's form or `hub:owner/name` and writes them as a model file with their description.
 * @throws WeightsError with one report of every mismatch; nothing is written then.
 */
export async function importWeights(
  path: string,
  { output, ...options }: ImportOptions & Notices & { readonly output: string },
): Promise<ImportPlan> {
  const plan = await openImport(path, options);
  try {
    const { decisions, read } = plan;
    const description = { ...plan.description, ...(decisions.length > 0 && { decisions }) };
    await writeModel(output, { description, parameters: parametersOf(plan.graph), read });
    return plan;
  } finally {
    await plan.close();
  }
}

/** Opens a model's description and parameters from a run folder, our own files, or files of other ecosystems. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hubFolder } from '../ecosystems/import/hub-folder.ts';
import { openImport, planConfigured, planFile, pullConfigured } from '../ecosystems/import/import-weights.ts';
import type { ImportOptions, ImportPlan } from '../ecosystems/import/plan-import.ts';
import { type Graph, isStatistic, type Parameter, parametersOf } from '../graph/graph.ts';
import { graphOf, type ModelDescription, ModelError, parseDescription } from '../model/description.ts';
import type { ModelFile, Notices } from '../model/model-file.ts';
import { modelKind } from '../model/model-kind.ts';
import { nonFinite } from '../model/non-finite.ts';
import { checkpointFile, checkpointSteps, runFiles } from '../model/run-layout.ts';
import { closeOnError } from '../weights/byte-source.ts';
import { openWeights } from '../weights/open-weights.ts';
import { openSafetensors } from '../weights/safetensors/safetensors.ts';
import { type TensorFile, WeightsError } from '../weights/tensor-file.ts';

/** `resetClassifier`: what another ecosystem's file has for a classifier is left out, and a new one has so many outputs. */
export type OpenOptions = Notices & Pick<ImportOptions, 'resetClassifier'>;

/**
 * Opens `hub:owner/name`, a run folder, a model of this package, or a file of another ecosystem. Reading a parameter that holds
 * a value that is not a finite number is an error.
 * @throws ModelError or WeightsError naming the file and what is missing.
 */
export async function openModel(path: string, options: OpenOptions = {}): Promise<ModelFile> {
  const file = await openFile(path, options);
  return {
    ...file,
    read: async (parameter) => {
      const values = await file.read(parameter);
      const problem = nonFinite(parameter.name, values);
      if (problem) throw new WeightsError(`${file.source}: ${problem}; no result would show it`);
      return values;
    },
  };
}

async function openFile(path: string, options: OpenOptions): Promise<ModelFile> {
  if (modelKind(path) === 'hub') return openFromHub(path, options);
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory() && (await isForeignFolder(path)))
    return announced(await openImport(path, options), options);
  const run = info?.isDirectory() ? await runFile(path) : undefined;
  if (run) {
    const file = await openSafetensors(run.path);
    return closeOnError(file, () => describedModel(file, run));
  }
  if (!info && !(await stat(`${path}.index`).catch(() => undefined)))
    throw new ModelError(`${path}: no such run folder or file; a model on the hub is written hub:owner/name`);
  if (modelKind(path) === 'onnx')
    throw new ModelError(
      `${path}: an ONNX file can only predict ('classify', 'predict', 'evaluate', 'serve'); expected a model with weights: a run folder, a .safetensors file, or hub:owner/name`,
    );
  const file = await openWeights(path);
  return closeOnError(file, async () =>
    file.metadata.has('model')
      ? describedModel(file, { path, prefix: '' })
      : announced(await planFile(file, path, importOptions(options)), options),
  );
}

async function openFromHub(path: string, options: OpenOptions): Promise<ModelFile> {
  const { weights, config } = await pullConfigured(path, options);
  const file = await openWeights(weights);
  return closeOnError(file, async () =>
    config
      ? announced(planConfigured(file, { source: path, options, config }), options)
      : { ...describedModel(file, { path, prefix: '' }), source: path },
  );
}

/** Whether a folder is in timm's form. Ours have files of the same names, but describe the model in the file of weights. */
async function isForeignFolder(path: string): Promise<boolean> {
  const folder = await hubFolder(path);
  if (!folder?.weights.endsWith('.safetensors')) return folder !== undefined;
  const file = await openSafetensors(folder.weights);
  await file.close();
  return !file.metadata.has('model');
}

const importOptions = ({ resetClassifier }: OpenOptions): ImportOptions =>
  resetClassifier === undefined ? {} : { resetClassifier };

/** Says what was decided about a file of another ecosystem. */
function announced(plan: ImportPlan, { onNotice }: Notices): ImportPlan {
  for (const decision of plan.decisions) onNotice?.(`${plan.source}: ${decision}`);
  return plan;
}

/** The model of a run's last evaluation, or if there is none yet, the averaged weights of its latest checkpoint. */
async function runFile(folder: string): Promise<{ path: string; prefix: string } | undefined> {
  const model = join(folder, runFiles.model);
  if (await stat(model).catch(() => undefined)) return { path: model, prefix: '' };
  const steps = await checkpointSteps(folder);
  if (steps?.[0] !== undefined) return { path: checkpointFile(folder, steps[0]), prefix: 'averages/' };
  if (steps || (await stat(join(folder, runFiles.configuration)).catch(() => undefined)))
    throw new ModelError(`${folder}: contains neither a model nor a checkpoint`);
  return undefined;
}

/** A file with metadata written by `train`, `import` or `writeModel`. */
function describedModel(file: TensorFile, { path, prefix }: { path: string; prefix: string }): ModelFile {
  const stored = file.metadata.get('model');
  if (stored === undefined)
    throw new ModelError(
      `${path}: its metadata contain no model; expected a file written by 'inception train' or 'inception import'`,
    );
  const name = `${path} (metadata)`;
  const description = parseDescription(stored, name);
  checkCounts(description, { path: name, tensors: file.tensors.size });
  const graph = graphOf(description);
  checkInput(description, { path: name, graph });
  const nameOf = (parameter: Parameter) =>
    isStatistic(parameter) ? parameter.name : prefix + parameter.name;
  checkShapes(file, { path, graph, nameOf });
  return {
    description: withChannels(description, graph),
    graph,
    source: path,
    read: async (parameter) => (await file.read(nameOf(parameter))).data as Float32Array,
    close: () => file.close(),
  };
}

/** The network's channels in the preprocessing, of which files of earlier versions say only that they are not 1. */
function withChannels(description: ModelDescription, { network }: Graph): ModelDescription {
  const [, , channels] = network.input;
  if (channels === (description.preprocessing.channels ?? 3)) return description;
  return { ...description, preprocessing: { ...description.preprocessing, channels } };
}

/** What a file says of its network is held to its tensors before a graph is built from it. @throws ModelError */
function checkCounts(
  { options, classes }: ModelDescription,
  { path, tensors }: { path: string; tensors: number },
): void {
  const blocks = Object.values(options.blocks ?? {}).reduce((sum, count) => sum + count, 0);
  if (blocks > tensors)
    throw new ModelError(
      `${path}: a network of ${blocks} blocks and more layers, the file has ${tensors} tensors`,
    );
  if (options.classes !== undefined && classes.length > 0 && classes.length !== options.classes)
    throw new ModelError(`${path}: ${classes.length} labels for ${options.classes} classes`);
}

/** @throws ModelError if images would be prepared for another input than the network's. */
function checkInput(
  { preprocessing }: ModelDescription,
  { path, graph }: { path: string; graph: Graph },
): void {
  const [height, width] = graph.network.input;
  if (preprocessing.size.join('×') === `${height}×${width}`) return;
  throw new ModelError(
    `${path}: preprocessing.size is ${preprocessing.size.join('×')}, the network's input is ${height}×${width}`,
  );
}

function checkShapes(
  file: TensorFile,
  { path, graph, nameOf }: { path: string; graph: Graph; nameOf: (parameter: Parameter) => string },
): void {
  const problems = parametersOf(graph).flatMap((parameter) => {
    const name = nameOf(parameter);
    const info = file.tensors.get(name);
    const expected = `F32 [${parameter.shape.join(', ')}]`;
    const received = info ? `${info.dtype} [${info.shape.join(', ')}]` : 'nothing';
    return expected === received ? [] : [`'${name}': expected ${expected}, received ${received}`];
  });
  if (problems.length > 0) throw new WeightsError(`${path}: ${problems.join('; ')}`);
}

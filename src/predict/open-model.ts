/** A model's description and parameters from wherever it lies: a run folder, a file of our own, or of anybody's. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openImport } from '../ecosystems/import/import-weights.ts';
import { planImport } from '../ecosystems/import/plan-import.ts';
import { type Graph, isStatistic, type Parameter, parametersOf } from '../graph/graph.ts';
import { graphOf, ModelError, parseDescription } from '../model/description.ts';
import type { ModelFile, Notices } from '../model/model-file.ts';
import { modelKind } from '../model/model-kind.ts';
import { checkpointFile, checkpointSteps, runFiles } from '../model/run-layout.ts';
import { closeOnError } from '../weights/byte-source.ts';
import { openWeights } from '../weights/open-weights.ts';
import { openSafetensors } from '../weights/safetensors/safetensors.ts';
import { type TensorFile, WeightsError } from '../weights/tensor-file.ts';

/**
 * Opens `hub:owner/name`, a run folder, a model of our own, or a file of another ecosystem as it is.
 * @throws ModelError or WeightsError saying what is missing in which file.
 */
export async function openModel(path: string, notices: Notices = {}): Promise<ModelFile> {
  if (modelKind(path) === 'hub') return openImport(path, notices);
  const about = await stat(path).catch(() => undefined);
  const run = about?.isDirectory() ? await runFile(path) : undefined;
  if (run) {
    const file = await openSafetensors(run.path);
    return closeOnError(file, () => describedModel(file, run));
  }
  if (!about && !(await stat(`${path}.index`).catch(() => undefined)))
    throw new ModelError(
      `${path}: there is no such run folder or file; a model on the hub is written hub:owner/name`,
    );
  if (modelKind(path) === 'onnx')
    throw new ModelError(
      `${path}: an ONNX file predicts ('classify', 'evaluate', 'serve'); here a model with its weights is needed: a run folder, a .safetensors file, or hub:owner/name`,
    );
  const file = await openWeights(path);
  return closeOnError(file, () =>
    file.metadata.has('model') ? describedModel(file, { path, prefix: '' }) : planImport(file, path),
  );
}

/** The model of a run's last evaluation; of a run that has had none, the averages of its newest checkpoint. */
async function runFile(folder: string): Promise<{ path: string; prefix: string } | undefined> {
  const model = join(folder, runFiles.model);
  if (await stat(model).catch(() => undefined)) return { path: model, prefix: '' };
  const steps = await checkpointSteps(folder);
  if (steps?.[0] !== undefined) return { path: checkpointFile(folder, steps[0]), prefix: 'averages/' };
  if (steps || (await stat(join(folder, runFiles.configuration)).catch(() => undefined)))
    throw new ModelError(`${folder}: neither a model nor a checkpoint is in this folder`);
  return undefined;
}

/** A file whose metadata say what it is: of `train`, `import` or `writeModel`. */
function describedModel(file: TensorFile, { path, prefix }: { path: string; prefix: string }): ModelFile {
  const stored = file.metadata.get('model');
  if (stored === undefined)
    throw new ModelError(
      `${path}: its metadata have no model; one of 'inception train' or 'inception import' has`,
    );
  const description = parseDescription(stored, `${path} (metadata)`);
  const graph = graphOf(description);
  const nameOf = (parameter: Parameter) =>
    isStatistic(parameter) ? parameter.name : prefix + parameter.name;
  checkShapes(file, { path, graph, nameOf });
  return {
    description,
    graph,
    source: path,
    read: async (parameter) => (await file.read(nameOf(parameter))).data as Float32Array,
    close: () => file.close(),
  };
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

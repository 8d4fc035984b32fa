/** Writes models: our own format, and the names and layouts of other ecosystems. */
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Parameter } from '../graph/graph.ts';
import { parametersOf } from '../graph/graph.ts';
import { type ModelDescription, ModelError, modelMetadata } from '../model/description.ts';
import type { ModelFile } from '../model/model-file.ts';
import { type TensorSource, writeSafetensors } from '../weights/safetensors/safetensors.ts';
import { type Dialect, type DialectName, findDialect, layerOf, nameTable } from './dialects.ts';
import { shapeIn, toLayout } from './layouts.ts';
import { NamesError } from './names.ts';

export interface ExportedParameter {
  readonly parameter: string;
  readonly to: string;
  readonly shape: readonly number[];
  readonly note: string | undefined;
}

export interface ExportReport {
  /** Files that were written. */
  readonly files: readonly string[];
  readonly parameters: readonly ExportedParameter[];
}

/** Writes a model with its description: the format of `train` and `import`. */
export async function writeModel(
  path: string,
  {
    description,
    read,
    parameters,
  }: {
    description: ModelDescription;
    parameters: readonly Parameter[];
    read: (parameter: Parameter) => Promise<Float32Array>;
  },
): Promise<void> {
  const tensors = parameters.map((parameter) => ({
    name: parameter.name,
    dtype: 'F32',
    shape: parameter.shape,
    read: () => read(parameter),
  }));
  await writeSafetensors(path, { tensors, metadata: modelMetadata(description) });
}

/**
 * Writes a model under a dialect's names and in its layout, as safetensors; to a folder (`…/`, or one that exists) as
 * `model.safetensors` with the `config.json` that timm loads.
 * @throws NamesError if the dialect has no such network, or cannot express an option of it.
 */
export async function exportWeights(
  model: ModelFile,
  { to, output }: { to: DialectName; output: string },
): Promise<ExportReport> {
  const dialect = findDialect(to);
  const table = nameTable(model.graph, dialect);
  refuseVariants(model, dialect);
  const parameters = parametersOf(model.graph);
  const named = parameters.map((parameter) => {
    const name = table.parameter(layerOf(parameter), parameter);
    if (name === undefined)
      throw new NamesError(`${to} has no name for '${parameter.name}' of ${model.graph.network.name}`);
    return { parameter, name };
  });
  const tensors = named.map(
    ({ parameter, name }): TensorSource => ({
      name,
      dtype: 'F32',
      shape: shapeIn(dialect.layout, parameter),
      read: async () => toLayout(dialect.layout, parameter, await model.read(parameter)),
    }),
  );
  // PyTorch's layers always have a gamma: ones are the same network.
  const gammas = dialect.gamma && !model.graph.network.gamma ? missingGammas(model, dialect) : [];
  const folder = output.endsWith('/') || (await stat(output).catch(() => undefined))?.isDirectory();
  const file = folder ? join(output, 'model.safetensors') : output;
  if (folder) await mkdir(output, { recursive: true });
  await writeSafetensors(file, { tensors: [...tensors, ...gammas], metadata: { format: 'pt' } });
  const files = [file];
  if (folder && to === 'timm') files.push(await writeHubConfig(output, model.description));
  return {
    files,
    parameters: [
      ...named.map(({ parameter, name }, index) => ({
        parameter: parameter.name,
        to: name,
        shape: (tensors[index] as TensorSource).shape,
        note: dialect.layout === 'torch' || parameter.shape.length === 1 ? undefined : 'transposed',
      })),
      ...gammas.map(({ name, shape }) => ({ parameter: '–', to: name, shape, note: 'ones' })),
    ],
  };
}

/** What the other implementation would compute differently from the same weights. */
function refuseVariants({ graph, source }: ModelFile, dialect: Dialect): void {
  const { countPadding, name } = graph.network;
  const theirs = dialect.countPadding?.includes(name) ?? false;
  const pads = graph.nodes.some(
    (node) => node.op === 'avgPool' && node.attributes.padding.some((side) => side > 0),
  );
  if (pads && countPadding !== theirs)
    process.emitWarning(
      `${source}: average pooling ${countPadding ? 'counts' : 'does not count'} its padding here, ${dialect.name}'s ${name} ${theirs ? 'does' : 'does not'}: its numbers will differ`,
    );
}

function missingGammas({ graph }: ModelFile, dialect: Dialect): TensorSource[] {
  const table = nameTable(graph, dialect);
  return parametersOf(graph)
    .filter(({ role }) => role === 'beta')
    .map((beta) => {
      const gamma: Parameter = { ...beta, name: beta.name.replace(/beta$/, 'gamma'), role: 'gamma' };
      const name = table.parameter(layerOf(gamma), gamma) as string;
      const [channels = 0] = beta.shape;
      return { name, dtype: 'F32', shape: beta.shape, read: () => new Float32Array(channels).fill(1) };
    });
}

const timmNames: Readonly<
  Record<string, { architecture: string; firstConv: string; classifier: string; features: number }>
> = {
  'inception-v3': {
    architecture: 'inception_v3',
    firstConv: 'Conv2d_1a_3x3.conv',
    classifier: 'fc',
    features: 2048,
  },
  'inception-v4': {
    architecture: 'inception_v4',
    firstConv: 'features.0.conv',
    classifier: 'last_linear',
    features: 1536,
  },
  'inception-resnet-v2-released': {
    architecture: 'inception_resnet_v2',
    firstConv: 'conv2d_1a.conv',
    classifier: 'classif',
    features: 1536,
  },
};

const interpolations = { 'pillow-bicubic': 'bicubic' } as Readonly<Record<string, string>>;

/** The config.json of the hub, in timm's words. */
async function writeHubConfig(folder: string, description: ModelDescription): Promise<string> {
  const known = timmNames[description.network];
  if (!known) throw new ModelError(`timm has no ${description.network}`);
  const { preprocessing, classes, classIds } = description;
  const [height, width] = preprocessing.size;
  const ids = classIds ?? classes;
  const config = {
    architecture: known.architecture,
    num_classes: classes.length,
    num_features: known.features,
    label_names: ids,
    ...(classIds && {
      label_descriptions: Object.fromEntries(ids.map((id, index) => [id, classes[index] as string])),
    }),
    pretrained_cfg: {
      input_size: [preprocessing.channels ?? 3, height, width],
      interpolation: interpolations[preprocessing.kernel] ?? 'bilinear',
      crop_pct: preprocessing.crop,
      crop_mode: 'center',
      mean: preprocessing.mean,
      std: preprocessing.std,
      num_classes: classes.length,
      pool_size: [8, 8],
      first_conv: known.firstConv,
      classifier: known.classifier,
    },
  };
  const path = join(folder, 'config.json');
  await writeFile(`${path}.incomplete`, `${JSON.stringify(config, null, 2)}\n`);
  await rename(`${path}.incomplete`, path);
  return path;
}

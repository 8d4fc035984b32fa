/** Weights of another ecosystem become a model: what each tensor is called, how it lies, and what has to be adapted. */

import { buildGraph } from '../graph/build-graph.ts';
import { elementCount, type Graph, type Parameter, parametersOf } from '../graph/graph.ts';
import { type Preprocessing, standardPreprocessing } from '../images/preprocess.ts';
import type { ModelDescription } from '../model/description.ts';
import { initialValues } from '../model/initialise.ts';
import type { ModelFile } from '../model/model-file.ts';
import { configure, findNetwork, type NetworkOptions } from '../networks/networks.ts';
import { type TensorFile, WeightsError } from '../weights/tensor-file.ts';
import {
  type Dialect,
  type DialectName,
  dialectOptions,
  findDialect,
  layerOf,
  nameTable,
  recogniseNames,
} from './dialects.ts';
import { fits, fromLayout, shapeIn, toFloat32 } from './layouts.ts';

export interface ImportOptions {
  /** Default: recognised by the tensors' names. */
  readonly from?: DialectName;
  /** Default: recognised by the tensors' names. */
  readonly network?: string;
  /** How many outputs at the front are no classes: 1 drops TF-Slim's background. Default 0 keeps all. */
  readonly labelOffset?: number;
  /** A new classifier with so many outputs; the rest is kept. */
  readonly resetClassifier?: number;
  /** Default 3; others adapt the first convolution as timm does. */
  readonly inputChannels?: number;
  readonly inputSize?: NetworkOptions['inputSize'];
  /** Whether an auxiliary classifier of the file is kept. Default true. */
  readonly auxiliary?: boolean;
  /** The label of every output that is kept. Default: `class 0`, `class 1`, … */
  readonly classes?: readonly string[];
  readonly classIds?: readonly string[];
  /** What differs from the dialect's own preprocessing. */
  readonly preprocessing?: Partial<Preprocessing>;
  /** Of a new classifier's weights. Default 1. */
  readonly seed?: number;
}

/** Where one parameter's values come from. */
export interface ImportedParameter {
  readonly parameter: Parameter;
  /** The tensor of the file, by its own name; undefined where there is none. */
  readonly from: string | undefined;
  /** What was done besides changing the layout: `adapted from 3 to 1 channels`, `rows 1 to 1000`, `new`. */
  readonly note: string | undefined;
  read(): Promise<Float32Array>;
}

/** The file as a model: whatever its parameters need is done when they are read. */
export interface ImportPlan extends ModelFile {
  readonly dialect: DialectName;
  readonly parameters: readonly ImportedParameter[];
  /** Tensors of the file that belong to training or bookkeeping. */
  readonly ignored: readonly string[];
}

/**
 * Says for every parameter where it comes from. The plan reads from the file, and closes it; if this throws, the file stays open.
 * @throws WeightsError listing everything that does not fit.
 */
export function planImport(file: TensorFile, path: string, options: ImportOptions = {}): ImportPlan {
  const { dialect, network } = recognise(file, path, options);
  const own = ownNames(file, dialect);
  const source = sourceGraph({ file, own, dialect, network, path });
  const target = targetGraph(source, options, path);
  const matched = matchTensors({ file, own, dialect, graph: source, path });
  const sourceClasses = source.network.classes;
  const parameters = parametersOf(target).map((parameter): ImportedParameter => {
    const from = matched.tensors.get(parameter.name);
    const original = matched.parameters.get(parameter.name);
    const fresh = isClassifier(parameter) && options.resetClassifier !== undefined;
    if (fresh || from === undefined || !original)
      return {
        parameter,
        from: undefined,
        note: 'new',
        read: async () => initialValues(parameter, options.seed ?? 1),
      };
    const read = async () => fromLayout(dialect.layout, original, toFloat32(await file.read(from)));
    return adapt({ parameter, original, from, read });
  });
  if (
    options.classes &&
    options.resetClassifier === undefined &&
    options.classes.length !== target.network.classes
  )
    throw new WeightsError(
      `${path}: ${options.classes.length} labels for ${target.network.classes} outputs${sourceClasses === options.classes.length + 1 ? '; --label-offset 1 drops the background' : ''}`,
    );
  const byName = new Map(parameters.map((each) => [each.parameter.name, each]));
  return {
    dialect: dialect.name,
    description: describe(target, { dialect, network, options, path }),
    graph: target,
    source: path,
    parameters,
    ignored: matched.ignored,
    read: ({ name }) => {
      const parameter = byName.get(name);
      if (parameter) return parameter.read();
      throw new WeightsError(`${path}: the model that is made of it has no parameter '${name}'`);
    },
    close: () => file.close(),
  };
}

function recognise(
  file: TensorFile,
  path: string,
  { from, network }: ImportOptions,
): { dialect: Dialect; network: string } {
  if (from !== undefined && network !== undefined)
    return { dialect: findDialect(from), network: findNetwork(network).name };
  const candidates = recogniseNames(file.tensors.keys());
  // facenet's two implementations go by one name.
  const same = (name: string) => name === from || (from === 'facenet' && name === 'tf-facenet');
  const found = candidates.find(
    (each) =>
      (from === undefined || same(each.dialect.name)) && (network === undefined || each.network === network),
  );
  if (found) return found;
  const known = candidates.map((each) => `${each.dialect.name}'s ${each.network}`).join(' or ');
  const asked = [from, network].filter(Boolean).join(' ');
  throw new WeightsError(
    `${path}: its ${file.tensors.size} tensors are not ${asked === '' ? 'those of any network that is known here' : `${asked}'s`}${known === '' ? '' : `; they look like ${known}`}; the first are ${[...file.tensors.keys()].slice(0, 3).join(', ') || 'none'}. --from and --network say what they are`,
  );
}

/** The file's own name of every tensor, by the dialect's canonical one. */
function ownNames(file: TensorFile, dialect: Dialect): ReadonlyMap<string, string> {
  const canonical = dialect.canonical?.(file.tensors.keys());
  return new Map([...file.tensors.keys()].map((name) => [canonical?.get(name) ?? name, name]));
}

interface Known {
  readonly file: TensorFile;
  /** The file's name by the canonical one. */
  readonly own: ReadonlyMap<string, string>;
  readonly dialect: Dialect;
  readonly path: string;
}

/** The graph of the network as it is in the file: its classes, channels, head and gammas are read off the shapes. */
function sourceGraph({ file, own, dialect, network, path }: Known & { network: string }): Graph {
  const build = (options: NetworkOptions) => buildGraph(configure(findNetwork(network), options));
  const forced = dialectOptions(dialect, network);
  const hasHead = ['tf-slim', 'torchvision', 'timm'].includes(dialect.name);
  const whole = build({ ...forced, gamma: true, classes: 2, auxiliary: hasHead });
  const table = nameTable(whole, dialect);
  const shapeOf = (parameter: Parameter | undefined): readonly number[] | undefined => {
    const theirs = parameter && table.parameter(layerOf(parameter), parameter);
    const name = theirs === undefined ? undefined : own.get(theirs);
    return name === undefined ? undefined : file.tensors.get(name)?.shape;
  };
  const parameters = parametersOf(whole);
  const find = (name: string) => shapeOf(parameters.find((parameter) => parameter.name === name));
  const weight = find('logits/weight');
  const first = find('stem/conv1/weight');
  const embedding = find('embedding/beta');
  const inputChannels = first?.[dialect.layout === 'torch' ? 1 : 2];
  const gamma = parameters.some(
    (parameter) => parameter.role === 'gamma' && shapeOf(parameter) !== undefined,
  );
  const auxiliary = parameters.some(
    (parameter) => parameter.name.startsWith('auxiliary/') && shapeOf(parameter) !== undefined,
  );
  if (first === undefined)
    throw new WeightsError(
      `${path}: there is no ${dialect.name} ${network} in it: its first convolution is missing`,
    );
  // A file that lacks one of the two still says how many classes it is for.
  const classes =
    find('logits/bias')?.[0] ?? (dialect.layout === 'torch' ? weight?.[0] : weight?.at(-1)) ?? 0;
  return build({
    ...forced,
    classes,
    ...(gamma ? {} : { gamma: false }),
    auxiliary: auxiliary && classes > 0,
    ...(inputChannels !== undefined && inputChannels !== 3 && inputChannels > 0 && { inputChannels }),
    ...(embedding?.[0] !== undefined && embedding[0] !== 512 && { embedding: embedding[0] }),
  });
}

/** The tensor of every parameter. @throws WeightsError with one report of all that is missing, extra or misshapen. */
function matchTensors({ file, own, dialect, graph, path }: Known & { graph: Graph }) {
  const table = nameTable(graph, dialect);
  const tensors = new Map<string, string>();
  const parameters = new Map<string, Parameter>();
  const missing: string[] = [];
  const misshapen: string[] = [];
  const used = new Set<string>();
  for (const parameter of parametersOf(graph)) {
    const theirs = table.parameter(layerOf(parameter), parameter);
    const name = theirs === undefined ? undefined : own.get(theirs);
    const info = name === undefined ? undefined : file.tensors.get(name);
    if (name === undefined || !info) {
      missing.push(theirs ?? parameter.name);
      continue;
    }
    used.add(name);
    if (!fits(dialect.layout, parameter, info.shape))
      misshapen.push(
        `${name}: expected [${shapeIn(dialect.layout, parameter).join(', ')}], received [${info.shape.join(', ')}]`,
      );
    tensors.set(parameter.name, name);
    parameters.set(parameter.name, parameter);
  }
  const rest = [...own].filter(([, name]) => !used.has(name));
  const ignored = rest.filter(
    ([canonical, name]) => dialect.ignored.test(canonical) || dialect.ignored.test(name),
  );
  const extra = rest.filter((entry) => !ignored.includes(entry)).map(([, name]) => name);
  const report = [
    ...section('missing', missing),
    ...section('of another shape', misshapen),
    ...section('that the network does not have', extra),
  ];
  if (report.length > 0)
    throw new WeightsError(
      `${path}: not all of its tensors are ${dialect.name}'s ${graph.network.name} (${graph.network.classes} classes${graph.network.auxiliary ? ', with the auxiliary classifier' : ''}):\n${report.join('\n')}`,
    );
  return { tensors, parameters, ignored: ignored.map(([, name]) => name) };
}

const section = (what: string, names: readonly string[]): string[] =>
  names.length === 0 ? [] : [`  ${names.length} ${what}:`, ...names.map((name) => `    ${name}`)];

/** What the caller wants of it: fewer classes, other channels, no head. */
function targetGraph(source: Graph, options: ImportOptions, path: string): Graph {
  const { labelOffset = 0, resetClassifier, inputChannels, inputSize, auxiliary = true } = options;
  const { network } = source;
  if (labelOffset > 0 && labelOffset >= network.classes)
    throw new WeightsError(
      `${path}: a label offset of ${labelOffset} leaves nothing of ${network.classes} outputs`,
    );
  const classes = resetClassifier ?? network.classes - labelOffset;
  return buildGraph(
    configure(findNetwork(network.name), {
      classes,
      gamma: network.gamma,
      countPadding: network.countPadding,
      auxiliary: network.auxiliary !== undefined && auxiliary && classes > 0,
      inputChannels: inputChannels ?? network.input[2],
      ...(inputSize !== undefined && { inputSize }),
      ...(embeddingOf(source) !== undefined && { embedding: embeddingOf(source) as number }),
    }),
  );
}

function embeddingOf({ network }: Graph): number | undefined {
  const layer = Object.values(network.layers).find((each) => each.kind === 'embedding');
  return layer?.kind === 'embedding' ? layer.features : undefined;
}

const isClassifier = ({ name }: Parameter): boolean => /^(auxiliary\/)?logits\//.test(name);

/** Fits the values of a tensor to a parameter that differs in its classes or its input channels. */
function adapt({
  parameter,
  original,
  from,
  read,
}: {
  parameter: Parameter;
  original: Parameter;
  from: string;
  read: () => Promise<Float32Array>;
}): ImportedParameter {
  const same = parameter.shape.join() === original.shape.join();
  if (same) return { parameter, from, note: undefined, read };
  if (isClassifier(parameter)) {
    const dropped = (original.shape[0] as number) - (parameter.shape[0] as number);
    return {
      parameter,
      from,
      note: `outputs ${dropped} to ${(original.shape[0] as number) - 1}`,
      read: async () =>
        (await read()).subarray((dropped * elementCount(original.shape)) / (original.shape[0] as number)),
    };
  }
  const [, had = 0] = original.shape;
  const [, has = 0] = parameter.shape;
  return {
    parameter,
    from,
    note: `adapted from ${had} to ${has} input channels`,
    read: async () => adaptChannels(await read(), original.shape, has),
  };
}

/**
 * A first convolution for other input channels, as timm adapts it: for one channel the sum over all, for more the three
 * repeated and scaled so that their sum stays.
 */
export function adaptChannels(
  weight: Float32Array,
  [filters = 0, had = 0, ...window]: readonly number[],
  has: number,
): Float32Array {
  const area = elementCount(window);
  const result = new Float32Array(filters * has * area);
  for (let filter = 0; filter < filters; filter++) {
    for (let at = 0; at < area; at++) {
      const value = (channel: number) => weight[(filter * had + channel) * area + at] as number;
      for (let channel = 0; channel < has; channel++) {
        let sum = 0;
        if (has === 1) for (let each = 0; each < had; each++) sum += value(each);
        else sum = (value(channel % had) * had) / has;
        result[(filter * has + channel) * area + at] = sum;
      }
    }
  }
  return result;
}

/** How each ecosystem evaluates its own weights. */
const preprocessings: Readonly<Record<DialectName, Partial<Preprocessing>>> = {
  timm: { protocol: 'timm', kernel: 'pillow-bicubic' },
  torchvision: { protocol: 'timm', kernel: 'pillow-bilinear' },
  cadene: { protocol: 'timm', kernel: 'pillow-bilinear' },
  keras: { protocol: 'tf-slim', kernel: 'tf-bilinear' },
  'tf-slim': { protocol: 'tf-slim', kernel: 'tf-bilinear' },
  // Faces come cropped already; (x − 127.5) / 128.
  facenet: {
    protocol: 'tf-slim',
    kernel: 'pillow-bilinear',
    crop: 1,
    std: [128 / 255, 128 / 255, 128 / 255],
  },
  'tf-facenet': {
    protocol: 'tf-slim',
    kernel: 'pillow-bilinear',
    crop: 1,
    std: [128 / 255, 128 / 255, 128 / 255],
  },
};

function describe(
  graph: Graph,
  {
    dialect,
    network,
    options,
    path,
  }: { dialect: Dialect; network: string; options: ImportOptions; path: string },
): ModelDescription {
  const { classes, gamma, countPadding, auxiliary, input } = graph.network;
  const [height, width, channels] = input;
  const own = findNetwork(network);
  const embedding = embeddingOf(graph);
  const labels =
    options.classes && options.classes.length === classes
      ? options.classes
      : Array.from({ length: classes }, (_, index) => `class ${index}`);
  const irv2 = dialect.name === 'timm' && network === 'inception-resnet-v2-released';
  return {
    network,
    options: {
      classes,
      ...((height !== own.input[0] || width !== own.input[1]) && {
        inputSize: height === width ? height : [height, width],
      }),
      ...(!gamma && { gamma }),
      ...(countPadding && { countPadding }),
      ...(auxiliary && { auxiliary: true }),
      ...(channels !== 3 && { inputChannels: channels }),
      ...(embedding !== undefined && embedding !== 512 && { embedding }),
    },
    classes: labels,
    ...(options.classIds && options.classIds.length === classes && { classIds: options.classIds }),
    preprocessing: standardPreprocessing([height, width], {
      ...preprocessings[dialect.name],
      // timm measured its Inception-ResNet-v2 with this share.
      ...(irv2 && { crop: 0.8975 }),
      ...(channels === 1 && { channels: 1 }),
      ...options.preprocessing,
    }),
    source: `${dialect.name}, ${path}`,
  };
}

/** Weights of another ecosystem become a model: where each parameter comes from, and what has to be adapted. */
import { buildGraph } from '../../graph/build-graph.ts';
import {
  classifierParameters,
  elementCount,
  type Graph,
  type Parameter,
  parametersOf,
} from '../../graph/graph.ts';
import { type Preprocessing, standardPreprocessing } from '../../images/preprocess.ts';
import type { ModelDescription } from '../../model/description.ts';
import { initialValues } from '../../model/initialise.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { configure, findNetwork, type NetworkOptions } from '../../networks/networks.ts';
import { type TensorFile, WeightsError } from '../../weights/tensor-file.ts';
import type { Dialect } from '../dialect.ts';
import type { DialectName } from '../dialects.ts';
import { fromLayout, toFloat32 } from '../layouts.ts';
import { adaptChannels } from './channels.ts';
import { type MatchedTensors, matchTensors, recognise } from './recognise.ts';

/** What a file of another ecosystem does not say, or in place of what it says. */
export interface ImportOptions {
  /** Default: recognised by the tensors' names. */
  readonly from?: DialectName;
  /** Default: recognised by the tensors' names. */
  readonly network?: string;
  /** How many outputs at the front are no classes: 1 drops TF-Slim's background. Default 0 keeps all. */
  readonly labelOffset?: number;
  /** How many classes there should be: `labelOffset` then drops outputs only of a file that has so many more. */
  readonly expectedClasses?: number | undefined;
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
  /** What was done besides changing the layout: `adapted from 3 to 1 input channels`, `outputs 1 to 1000`, `new`. */
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
 * Says for every parameter where it comes from. The plan reads from the file, and closes it; if this throws, the file stays
 * open.
 * @throws WeightsError listing everything that does not fit.
 */
export function planImport(file: TensorFile, path: string, options: ImportOptions = {}): ImportPlan {
  const recognised = recognise(file, path, options);
  const { dialect, network } = recognised;
  const { layout } = dialect;
  const { options: inFile, tensors, ignored } = matchTensors(file, path, recognised);
  const wanted = wantedOptions(inFile, options, path);
  const graph = buildGraph(configure(findNetwork(network), wanted));
  const classifier = new Set(classifierParameters(graph).map(({ name }) => name));
  const parameters = parametersOf(graph).map((parameter): ImportedParameter => {
    const isClassifier = classifier.has(parameter.name);
    const tensor = tensors.get(parameter.name);
    if (!tensor || (isClassifier && options.resetClassifier !== undefined)) {
      const read = async () => initialValues(parameter, options.seed ?? 1);
      return { parameter, from: undefined, note: 'new', read };
    }
    const { from, parameter: original } = tensor;
    const read = async () => fromLayout(layout, original, toFloat32(await file.read(from)));
    if (parameter.shape.join() === original.shape.join()) return { parameter, from, note: undefined, read };
    return { parameter, from, ...adapted(read, { original, parameter, isClassifier }) };
  });
  const byName = new Map(parameters.map((each) => [each.parameter.name, each]));
  return {
    dialect: dialect.name,
    description: describe(graph, { dialect, wanted, path, options }),
    graph,
    source: path,
    parameters,
    ignored,
    read: ({ name }) => {
      const parameter = byName.get(name);
      if (parameter) return parameter.read();
      throw new WeightsError(`${path}: ${network} has no parameter '${name}'`);
    },
    close: () => file.close(),
  };
}

/** What the caller wants of the network in the file: fewer classes, other channels, no head. */
function wantedOptions(inFile: MatchedTensors['options'], options: ImportOptions, path: string) {
  const { labelOffset = 0, expectedClasses, resetClassifier, inputChannels, inputSize } = options;
  const outputs = inFile.classes;
  const asExpected = expectedClasses === undefined || outputs === expectedClasses + labelOffset;
  const dropped = asExpected ? labelOffset : 0;
  if (dropped > 0 && dropped >= outputs)
    throw new WeightsError(`${path}: a label offset of ${dropped} leaves nothing of ${outputs} outputs`);
  const classes = resetClassifier ?? outputs - dropped;
  if (options.classes && resetClassifier === undefined && options.classes.length !== classes)
    throw new WeightsError(
      `${path}: ${options.classes.length} labels for ${classes} outputs${outputs === options.classes.length + 1 ? '; --label-offset 1 drops the background' : ''}`,
    );
  const { auxiliary, ...rest } = inFile;
  return {
    ...rest,
    classes,
    ...(auxiliary && (options.auxiliary ?? true) && classes > 0 && { auxiliary }),
    ...(inputSize !== undefined && { inputSize }),
    ...(inputChannels !== undefined && { inputChannels }),
  } satisfies NetworkOptions;
}

/** Values of a parameter that differs from the file's in its classes or its input channels. */
function adapted(
  read: () => Promise<Float32Array>,
  { original, parameter, isClassifier }: { original: Parameter; parameter: Parameter; isClassifier: boolean },
): Pick<ImportedParameter, 'note' | 'read'> {
  const [outputs = 0, inputs = 0] = original.shape;
  const [wantedOutputs = 0, wantedInputs = 0] = parameter.shape;
  if (isClassifier) {
    const dropped = outputs - wantedOutputs;
    return {
      note: `outputs ${dropped} to ${outputs - 1}`,
      read: async () => (await read()).subarray((dropped * elementCount(original.shape)) / outputs),
    };
  }
  return {
    note: `adapted from ${inputs} to ${wantedInputs} input channels`,
    read: async () => adaptChannels(await read(), original.shape, wantedInputs),
  };
}

function describe(
  { network }: Graph,
  {
    dialect,
    wanted,
    path,
    options,
  }: { dialect: Dialect; wanted: NetworkOptions; path: string; options: ImportOptions },
): ModelDescription {
  const { name, classes } = network;
  const [height, width, channels] = network.input;
  return {
    network: name,
    options: wanted,
    classes:
      options.classes?.length === classes
        ? options.classes
        : Array.from({ length: classes }, (_, index) => `class ${index}`),
    ...(options.classIds?.length === classes && { classIds: options.classIds }),
    preprocessing: standardPreprocessing([height, width], {
      ...dialect.preprocessing,
      ...dialect.networks[name]?.preprocessing,
      ...(channels === 1 && { channels: 1 }),
      ...options.preprocessing,
    }),
    source: `${dialect.name}, ${path}`,
  };
}

/** Plans an import: which tensor each parameter comes from, and how it has to be adapted. */
import { UsageError } from '../../errors.ts';
import { buildGraph } from '../../graph/build-graph.ts';
import {
  classifierParameters,
  elementCount,
  type Graph,
  type Parameter,
  parametersOf,
} from '../../graph/graph.ts';
import { type Preprocessing, standardPreprocessing } from '../../images/preprocess.ts';
import { checkScaling, type ModelDescription } from '../../model/description.ts';
import { type DecidedLabels, numberedLabels, unnamedLabels } from '../../model/imagenet-labels.ts';
import { initialValues } from '../../model/initialise.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { configure, findNetwork, hasHidden, type NetworkOptions } from '../../networks/networks.ts';
import { type TensorFile, WeightsError } from '../../weights/tensor-file.ts';
import type { Dialect, FileSettings } from '../dialect.ts';
import type { DialectName } from '../dialects.ts';
import { fromLayout, toFloat32 } from '../layouts.ts';
import { chooseAverages } from './averages.ts';
import { adaptChannels } from './channels.ts';
import { type MatchedTensors, matchTensors } from './match-tensors.ts';
import { recognise } from './recognise.ts';

/** Options of an import: what the file does not say, and overrides of what it does. */
export interface ImportOptions {
  /** Default: recognised by the tensors' names. */
  readonly from?: DialectName;
  /** Default: recognised by the tensors' names. */
  readonly network?: string;
  /** Number of leading outputs to drop; 1 drops TF-Slim's background class. Default 0. */
  readonly labelOffset?: number;
  /** Number of classes after dropping: if set, `labelOffset` applies only to a file with exactly that many more outputs. */
  readonly expectedClasses?: number | undefined;
  /** Replaces the classifier by a new one with this many outputs; all other weights are kept. */
  readonly resetClassifier?: number;
  /** Default 3; other numbers adapt the first convolution as timm does. */
  readonly inputChannels?: number;
  readonly inputSize?: NetworkOptions['inputSize'];
  /** Whether to keep an auxiliary classifier in the file. Default true. */
  readonly auxiliary?: boolean;
  /** Whether moving averages that a TensorFlow checkpoint has beside its weights are taken instead of them. Default true. */
  readonly averages?: boolean;
  /**
   * A label for each remaining output. Default: ImageNet's for 1,000 outputs, or 1,001 with a background, and otherwise `class 0`,
   * `class 1`, …
   */
  readonly classes?: readonly string[];
  readonly classIds?: readonly string[];
  /** Overrides of the dialect's preprocessing. */
  readonly preprocessing?: Partial<Preprocessing>;
  /** Random seed for a new classifier. Default 1. */
  readonly seed?: number;
}

/** The source of a parameter's values. */
export interface ImportedParameter {
  readonly parameter: Parameter;
  /** The tensor's name in the file; undefined for a new parameter. */
  readonly from: string | undefined;
  /** Changes other than the layout: `adapted from 3 to 1 input channels`, `outputs 1 to 1000`, `new`, `zeros`. */
  readonly note: string | undefined;
  read(): Promise<Float32Array>;
}

/** The file as a model; parameters are converted on reading. */
export interface ImportPlan extends ModelFile {
  readonly dialect: DialectName;
  readonly parameters: readonly ImportedParameter[];
  /** Tensors left out: training state and bookkeeping. */
  readonly ignored: readonly string[];
  /** What was chosen, removed or left out on the way, a sentence each. */
  readonly decisions: readonly string[];
}

/**
 * Finds the source of every parameter. The plan reads from the file and closes it; if this throws, the file stays open.
 * @throws WeightsError listing every mismatch; UsageError for an option without effect.
 */
export function planImport(given: TensorFile, path: string, asked: ImportOptions = {}): ImportPlan {
  const file = chooseAverages(given, { path, averages: asked.averages });
  if (asked.resetClassifier !== undefined && asked.labelOffset)
    throw new UsageError(
      `${path}: --label-offset has no effect with --reset-classifier, which replaces all outputs`,
    );
  const recognised = recognise(file, path, asked);
  const { dialect, network } = recognised;
  const settings = dialect.settings?.(file);
  const { options, decisions: settled } = withSettings(asked, settings, path);
  checkScaling(options.preprocessing, path);
  const { layout } = dialect;
  const { auxiliary, resetClassifier } = options;
  const matched = matchTensors(file, { path, recognised, unwanted: { auxiliary, resetClassifier } });
  const { options: inFile, tensors, ignored } = matched;
  const wanted = wantedOptions(inFile, options, path);
  const graph = buildGraph(configure(findNetwork(network), wanted));
  const head = decideHead(graph, { path, options, settings });
  const labels = labelsFor(graph.network.classes, options);
  const classifier = new Set(classifierParameters(graph).map(({ name }) => name));
  const parameters = parametersOf(graph).map((parameter): ImportedParameter => {
    const isClassifier = classifier.has(parameter.name);
    const tensor = tensors.get(parameter.name);
    if (!tensor) {
      const read = async () => initialValues(parameter, options.seed ?? 1);
      // A bias begins as zeros.
      return { parameter, from: undefined, note: resetClassifier === undefined ? 'zeros' : 'new', read };
    }
    const { from, parameter: original } = tensor;
    const read = async () => fromLayout(layout, original, toFloat32(await file.read(from)));
    if (parameter.shape.join() === original.shape.join()) return { parameter, from, note: undefined, read };
    return { parameter, from, ...adapted(read, { original, parameter, isClassifier }) };
  });
  const byName = new Map(parameters.map((each) => [each.parameter.name, each]));
  return {
    dialect: dialect.name,
    description: describe(graph, { dialect, wanted, path, labels, options }),
    graph,
    source: path,
    parameters,
    ignored,
    decisions: [
      ...(file.decisions ?? []),
      ...recognised.decisions,
      ...matched.decisions,
      ...settled,
      ...head,
      ...(isBinary(inFile, options) ? [binaryDecision] : []),
      ...(labels.decision === undefined ? [] : [`${labels.decision} (--model-labels FILE gives others)`]),
    ],
    read: ({ name }) => {
      const parameter = byName.get(name);
      if (parameter) return parameter.read();
      throw new WeightsError(`${path}: ${network} has no parameter '${name}'`);
    },
    close: () => file.close(),
  };
}

/** The caller's options over what the file says of its model. @throws WeightsError if that cannot be imported. */
function withSettings(
  options: ImportOptions,
  settings: FileSettings | undefined,
  path: string,
): { options: ImportOptions; decisions: readonly string[] } {
  if (!settings) return { options, decisions: [] };
  const { inputSize, preprocessing, inputProblem, headProblem, decisions } = settings;
  if (inputProblem !== undefined && options.preprocessing?.mean === undefined)
    throw new WeightsError(`${path}: ${inputProblem}`);
  if (headProblem !== undefined && options.resetClassifier === undefined)
    throw new WeightsError(`${path}: ${headProblem}`);
  const size = options.inputSize ?? inputSize;
  const mean = options.preprocessing?.mean ?? preprocessing?.mean;
  return {
    options: {
      ...options,
      ...(size !== undefined && { inputSize: size }),
      preprocessing: { ...preprocessing, ...options.preprocessing },
    },
    decisions: [
      ...decisions,
      ...(size === undefined
        ? ['the file does not say the size of its input: the usual one is taken (--input-size)']
        : []),
      ...(mean === undefined
        ? ['the file does not say how pixels are scaled: the usual way is taken (--mean and --std)']
        : []),
    ],
  };
}

/** What the head's layers are taken for. @throws WeightsError if its pooling is not the mean over the whole grid. */
function decideHead(
  { nodes, network }: Graph,
  { path, options, settings }: { path: string; options: ImportOptions; settings: FileSettings | undefined },
): string[] {
  if (options.resetClassifier !== undefined) return [];
  const { pooling, inputSize, saysHidden = false } = settings ?? {};
  const pool = nodes.find(({ op, head }) => op === 'globalAvgPool' && head === 'main');
  const [height, width] = nodes[pool?.inputs[0] ?? -1]?.shape ?? [];
  // Of another size of input, the mean over the whole grid is what was meant.
  const isOwnSize = inputSize !== undefined && String(options.inputSize) === String(inputSize);
  if (pooling && isOwnSize && pooling.join() !== [height, width].join())
    throw new WeightsError(
      `${path}: its head pools windows of ${pooling.join('×')}, the grid is ${height}×${width}: the networks here take the mean over all of it; --reset-classifier N leaves the head out`,
    );
  if (!hasHidden(network) || saysHidden) return [];
  return [
    'the file does not say the activation of the hidden layers: ReLU is taken (--reset-classifier N leaves the head out)',
  ];
}

/** One output, of which a softmax would always give 1. */
const isBinary = ({ classes }: MatchedTensors['options'], { resetClassifier }: ImportOptions): boolean =>
  classes === 1 && resetClassifier === undefined;

const binaryDecision =
  'its one output z is read as two classes with the logits 0 and z: the second has the probability sigmoid(z)';

/** Network options after the caller's changes: fewer classes, other channels, no auxiliary head. */
function wantedOptions(inFile: MatchedTensors['options'], options: ImportOptions, path: string) {
  const { labelOffset = 0, expectedClasses, resetClassifier, inputChannels, inputSize } = options;
  const outputs = inFile.classes;
  const offsetApplies = expectedClasses === undefined || outputs === expectedClasses + labelOffset;
  const dropped = offsetApplies ? labelOffset : 0;
  if (dropped > 0 && dropped >= outputs)
    throw new WeightsError(`${path}: a label offset of ${dropped} drops all ${outputs} outputs`);
  const classes = isBinary(inFile, options) ? 2 : (resetClassifier ?? outputs - dropped);
  if (options.classes && options.classes.length !== classes)
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

/** Reads a parameter whose number of classes or input channels differs from the file's. */
function adapted(
  read: () => Promise<Float32Array>,
  { original, parameter, isClassifier }: { original: Parameter; parameter: Parameter; isClassifier: boolean },
): Pick<ImportedParameter, 'note' | 'read'> {
  const [outputs = 0, inputs = 0] = original.shape;
  const [wantedOutputs = 0, wantedInputs = 0] = parameter.shape;
  if (isClassifier && outputs === 1 && wantedOutputs === 2) {
    const zeros = elementCount(original.shape);
    return {
      note: 'output 0 after an output of zeros',
      read: async () => Float32Array.of(...new Float32Array(zeros), ...(await read())),
    };
  }
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

/** Labels of the caller or the hub; otherwise ImageNet's, unless the classifier is a new one. */
function labelsFor(outputs: number, { classes, classIds, resetClassifier }: ImportOptions): DecidedLabels {
  if (classes) return { classes, ...(classIds?.length === outputs && { classIds }) };
  return resetClassifier === undefined ? unnamedLabels(outputs) : numberedLabels(outputs);
}

function describe(
  { network }: Graph,
  {
    dialect,
    wanted,
    path,
    labels,
    options,
  }: {
    dialect: Dialect;
    wanted: NetworkOptions;
    path: string;
    labels: DecidedLabels;
    options: ImportOptions;
  },
): ModelDescription {
  const { name } = network;
  const [height, width, channels] = network.input;
  return {
    network: name,
    options: wanted,
    classes: labels.classes,
    ...(labels.classIds && { classIds: labels.classIds }),
    preprocessing: standardPreprocessing([height, width], {
      ...dialect.preprocessing,
      ...dialect.networks[name]?.preprocessing,
      ...(channels !== 3 && { channels }),
      ...options.preprocessing,
    }),
    source: `${dialect.name}, ${path}`,
  };
}

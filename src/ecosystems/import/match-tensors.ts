/** The tensor of every parameter, and the options of the network in a file, read off the shapes of its tensors. */

import { UsageError } from '../../errors.ts';
import { buildGraph } from '../../graph/build-graph.ts';
import {
  classifierParameters,
  firstConvolutions,
  type Graph,
  type Parameter,
  parametersOf,
  parametersOfHead,
} from '../../graph/graph.ts';
import { configure, findNetwork, type NetworkOptions } from '../../networks/networks.ts';
import { firstOf, printable, quoted } from '../../printable.ts';
import { type TensorFile, WeightsError } from '../../weights/tensor-file.ts';
import { fits, shapeIn } from '../layouts.ts';
import { findClassifier, moduleOf } from './find-classifier.ts';
import type { RecognisedFile } from './recognise.ts';

export interface MatchedTensors {
  /** Options of the network in the file; defaults are left out, except for the classes. */
  readonly options: NetworkOptions & { readonly classes: number };
  /** By the parameter's name; those of a classifier that is replaced have none, nor has a bias that is not in the file. */
  readonly tensors: ReadonlyMap<string, MatchedTensor>;
  /** Tensors of training state and bookkeeping. */
  readonly ignored: readonly string[];
  /** What was decided, a sentence each. */
  readonly decisions: readonly string[];
}

export interface MatchedTensor {
  /** The tensor's name in the file. */
  readonly from: string;
  /** The parameter, with the shape it has in the file. */
  readonly parameter: Parameter;
}

/** What the caller does not want of the file. */
export interface Unwanted {
  /** False leaves out the auxiliary classifier, whatever its shapes; refused if there is none. */
  readonly auxiliary?: boolean | undefined;
  /** The classifiers are replaced: whatever the file has in their place is left out. */
  readonly resetClassifier?: number | undefined;
}

/**
 * @throws WeightsError with one report of all missing, unexpected and misshapen tensors; UsageError if what is not wanted is not
 * there.
 */
export function matchTensors(
  file: TensorFile,
  { path, recognised, unwanted = {} }: { path: string; recognised: RecognisedFile; unwanted?: Unwanted },
): MatchedTensors {
  const { dialect, record, network } = recognised;
  const whole = wholeGraph(recognised);
  const heads = readHeads(file, { path, recognised, unwanted, whole });
  const { names } = heads;
  const options = optionsInFile(file, { path, recognised, whole, heads });
  const graph = buildGraph(configure(findNetwork(network), options));
  const nameOf = record.names(graph);
  const classifiers = classifierParameters(graph).map(({ name }) => name);
  const isReplaced = unwanted.resetClassifier !== undefined;
  // Of the main classifier, which comes first, the bias is the second.
  const notRead = new Set(isReplaced ? classifiers : heads.lacksBias ? classifiers.slice(1, 2) : []);
  const tensors = new Map<string, MatchedTensor>();
  const missing: string[] = [];
  const misshapen: string[] = [];
  for (const parameter of parametersOf(graph)) {
    if (notRead.has(parameter.name)) continue;
    const theirs = nameOf(parameter) ?? parameter.name;
    const from = names.get(theirs);
    const info = from === undefined ? undefined : file.tensors.get(from);
    if (from === undefined || !info) missing.push(theirs);
    else if (!fits(dialect.layout, parameter, info.shape))
      misshapen.push(
        `${from}: expected [${shapeIn(dialect.layout, parameter).join(', ')}], received [${info.shape.join(', ')}]`,
      );
    if (from !== undefined) tensors.set(parameter.name, { from, parameter });
  }
  const used = new Set([...tensors.values()].map(({ from }) => from));
  const rest = [...names].filter(([name, from]) => !used.has(from) && !heads.isLeftOut(name));
  const isIgnored = (names: readonly string[]) => names.some((name) => dialect.ignored.test(name));
  const problems = {
    missing,
    'with the wrong shape': misshapen,
    unexpected: rest.filter((pair) => !isIgnored(pair)).map(([, from]) => from),
  };
  const report = Object.entries(problems).flatMap(([what, list]) =>
    list.length === 0 ? [] : [`  ${list.length} ${what}:`, ...linesOf(list)],
  );
  if (heads.hidden.length > 0 && problems.unexpected.length > 0)
    report.push('  --reset-classifier N leaves the head out and imports the rest');
  if (report.length > 0)
    throw new WeightsError(
      `${path}: the tensors do not match ${dialect.name}'s ${network} (${options.classes} classes${options.auxiliary ? ', with the auxiliary classifier' : ''}):\n${report.join('\n')}`,
    );
  return {
    options,
    tensors,
    ignored: rest.filter(isIgnored).map(([, from]) => from),
    decisions: [...heads.decisions, ...outsideLeft(recognised, used)],
  };
}

function outsideLeft({ outside, prefix }: RecognisedFile, used: ReadonlySet<string>): string[] {
  const left = [...outside.values()].filter((from) => !used.has(from));
  return left.length === 0
    ? []
    : [`left out ${left.length} tensors without the prefix ${quoted(prefix)}: ${firstOf(left)}`];
}

/** A report has room for so many names of a kind. */
const maxLines = 20;

const linesOf = (names: readonly string[]): string[] => [
  ...names.slice(0, maxLines).map((name) => `    ${printable(name, 300)}`),
  ...(names.length > maxLines ? [`    … and ${names.length - maxLines} more`] : []),
];

/** The network with everything that a file may have: its names are the names to look for. */
const wholeGraph = ({ network, record: { auxiliaryHead = false } }: RecognisedFile): Graph =>
  buildGraph(configure(findNetwork(network), { classes: 2, auxiliary: auxiliaryHead }));

interface Heads {
  /** Tensor names in the file by canonical names, with the classifier under its own. */
  readonly names: ReadonlyMap<string, string>;
  readonly classes: number;
  /** Units of the hidden layers before the main classifier. */
  readonly hidden: readonly number[];
  readonly auxiliary: boolean;
  /** Whether the classifier has weights only. */
  readonly lacksBias: boolean;
  /** Whether a canonical name belongs to a head that is left out. */
  readonly isLeftOut: (name: string) => boolean;
  readonly decisions: readonly string[];
}

/** The classifiers: where the main one is, and whether the auxiliary one fits it. */
function readHeads(
  file: TensorFile,
  {
    path,
    recognised,
    unwanted,
    whole,
  }: { path: string; recognised: RecognisedFile; unwanted: Unwanted; whole: Graph },
): Heads {
  const { dialect, record } = recognised;
  const nameOf = record.names(whole);
  const reset = unwanted.resetClassifier;
  const classifiers = classifierParameters(whole);
  // The main classifier comes first, weight before bias.
  const [weight, bias, auxiliaryWeight] = classifiers.map((parameter) => nameOf(parameter) ?? '');
  const features = classifiers[0]?.shape[1] ?? 0;
  const auxiliaryNames = parametersOfHead(whole, 'auxiliary').flatMap((parameter) => nameOf(parameter) ?? []);
  const auxiliaryModule = commonModule(auxiliaryNames);
  const known = new Set(parametersOf(whole).flatMap((parameter) => nameOf(parameter) ?? []));
  const isAuxiliary = (name: string) =>
    known.has(name)
      ? auxiliaryNames.includes(name)
      : auxiliaryModule !== '' && name.startsWith(auxiliaryModule);
  const isFree = (name: string) => !known.has(name) && !isAuxiliary(name) && !dialect.ignored.test(name);
  const main = findClassifier(file, {
    path,
    layout: dialect.layout,
    features,
    weight: weight ?? '',
    bias: bias ?? '',
    names: recognised.names,
    free: new Map([...recognised.names, ...recognised.outside].filter(([name]) => isFree(name))),
    isReplaced: reset !== undefined,
    isFlat: dialect.flat ?? false,
  });
  const { names } = main;
  const outputsOf = (name: string | undefined): number | undefined => {
    const from = name === undefined ? undefined : names.get(name);
    const shape = from === undefined ? undefined : file.tensors.get(from)?.shape;
    return shape && (dialect.layout === 'torch' || shape.length === 1 ? shape[0] : shape.at(-1));
  };
  // Weight or bias alone is enough to know the number of classes.
  const classes = reset ?? outputsOf(bias) ?? outputsOf(weight) ?? 0;
  const lacksBias = reset === undefined && names.has(weight ?? '') && !names.has(bias ?? '');
  const present = auxiliaryNames.filter((name) => names.has(name));
  if (unwanted.auxiliary === false && present.length === 0)
    throw new UsageError(
      `${path}: --no-auxiliary has no effect, no tensor of the file belongs to an auxiliary classifier`,
    );
  const reason =
    unwanted.auxiliary === false
      ? 'as asked for'
      : classes === 0
        ? 'the network has no classifier'
        : reset === undefined && outputsOf(auxiliaryWeight) !== classes
          ? `it has ${outputsOf(auxiliaryWeight) ?? 'no'} outputs, the classifier ${classes}`
          : undefined;
  const isDropped = present.length > 0 && reason !== undefined;
  const resetModules =
    reset === undefined ? [] : [weight, auxiliaryWeight].flatMap((name) => moduleOf(name) ?? []);
  return {
    names,
    classes,
    hidden: main.hidden,
    auxiliary: present.length > 0 && !isDropped,
    lacksBias,
    isLeftOut: (name) =>
      (isDropped && isAuxiliary(name)) ||
      main.leftOut.has(name) ||
      resetModules.some((module) => name.startsWith(module)),
    decisions: [
      ...main.decisions,
      ...(lacksBias ? ['the classifier has no bias in the file: zeros are taken'] : []),
      ...(isDropped ? [`auxiliary classifier left out: ${reason} (${present.length} tensors)`] : []),
      ...(main.leftOut.size > 0
        ? [`left out the classifier, which is replaced: ${firstOf([...main.leftOut])}`]
        : []),
    ],
  };
}

/** What all names begin with, up to a separator: `AuxLogits.`, `InceptionV3/AuxLogits/`. */
function commonModule([first = '', ...others]: readonly string[]): string {
  let length = first.length;
  for (const name of others) {
    let same = 0;
    while (same < length && name[same] === first[same]) same++;
    length = same;
  }
  return /^.*[./]/.exec(first.slice(0, length))?.[0] ?? '';
}

/** Infers channels, embedding and gammas by looking for the tensors of a network that has them all. */
function optionsInFile(
  file: TensorFile,
  {
    path,
    recognised,
    whole,
    heads,
  }: { path: string; recognised: RecognisedFile; whole: Graph; heads: Heads },
): MatchedTensors['options'] {
  const { dialect, network, record } = recognised;
  const figures = findNetwork(network);
  const nameOf = record.names(whole);
  const shapeOf = (parameter: Parameter | undefined): readonly number[] | undefined => {
    const from = parameter && heads.names.get(nameOf(parameter) ?? '');
    return from === undefined ? undefined : file.tensors.get(from)?.shape;
  };
  const first = shapeOf(firstConvolutions(whole)[0]?.parameters.members[0]?.weight);
  if (first === undefined)
    throw new WeightsError(`${path}: not ${dialect.name}'s ${network}: the first convolution is missing`);
  const inputChannels = first[dialect.layout === 'torch' ? 1 : 2];
  const [key, layer] = Object.entries(figures.layers).find(([, { kind }]) => kind === 'embedding') ?? [];
  const embedding = shapeOf(parametersOf(whole).find(({ name }) => name === `${key}/beta`))?.[0];
  const hasGamma = parametersOf(whole).some((parameter) => parameter.role === 'gamma' && shapeOf(parameter));
  return {
    classes: heads.classes,
    ...(heads.hidden.length > 0 && { hidden: heads.hidden }),
    ...(!hasGamma && { gamma: false }),
    ...(record.countPadding && { countPadding: true }),
    ...(heads.auxiliary && { auxiliary: true }),
    ...(inputChannels !== undefined &&
      inputChannels !== figures.input[2] &&
      inputChannels > 0 && { inputChannels }),
    ...(layer?.kind === 'embedding' &&
      embedding !== undefined &&
      embedding !== layer.features && { embedding }),
  };
}

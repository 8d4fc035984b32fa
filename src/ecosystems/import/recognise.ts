/** Identifies a file of weights: dialect and network by the tensors' names, network options by their shapes. */
import { buildGraph } from '../../graph/build-graph.ts';
import {
  classifierParameters,
  firstConvolutions,
  type Parameter,
  parametersOf,
  parametersOfHead,
} from '../../graph/graph.ts';
import { configure, findNetwork, type NetworkOptions } from '../../networks/networks.ts';
import { type TensorFile, WeightsError } from '../../weights/tensor-file.ts';
import type { Dialect, DialectNetwork } from '../dialect.ts';
import { type DialectName, dialects, findDialect, networkOf } from '../dialects.ts';
import { fits, shapeIn } from '../layouts.ts';

/** A file identified as a network of a dialect. */
export interface RecognisedFile {
  readonly dialect: Dialect<DialectName>;
  readonly network: string;
  /** The dialect's record of the network. */
  readonly record: DialectNetwork;
  /** Tensor names in the file by the dialect's canonical names. */
  readonly names: ReadonlyMap<string, string>;
}

/** Identifies a file, unless `from` and `network` already do. @throws WeightsError saying what the file looks like instead. */
export function recognise(
  { tensors }: TensorFile,
  path: string,
  { from, network }: { readonly from?: DialectName | undefined; readonly network?: string | undefined },
): RecognisedFile {
  if (from !== undefined && network !== undefined) {
    const dialect = findDialect(from);
    const record = networkOf(dialect, findNetwork(network).name);
    return { dialect, network, record, names: fileNamesBy(dialect, tensors.keys()) };
  }
  const candidates = recogniseNames(tensors.keys());
  const likeliest = candidates.find(
    (file) =>
      (from === undefined || file.dialect.name === from || file.dialect.family === from) &&
      (network === undefined || file.network === network),
  );
  if (likeliest) return likeliest;
  const request = [from, network].filter(Boolean).join(' ');
  const expected = request === '' ? 'any known network' : request;
  const looks = candidates.map((file) => `${file.dialect.name}'s ${file.network}`).join(' or ');
  const first = [...tensors.keys()].slice(0, 3).join(', ') || 'none';
  throw new WeightsError(
    `${path}: its ${tensors.size} tensors are not those of ${expected}${looks === '' ? '' : `; they look like ${looks}`}; the first are ${first}; use --from and --network to say what they are`,
  );
}

/** The dialects and networks that a file's names match; the one with the most anchors first. */
export function recogniseNames(fileNames: Iterable<string>): RecognisedFile[] {
  const present = [...fileNames];
  return dialects
    .flatMap((dialect) => {
      const names = fileNamesBy(dialect, present);
      return Object.entries(dialect.networks)
        .filter(([, { anchors }]) => anchors.every((anchor) => names.has(anchor)))
        .map(([network, record]) => ({ dialect, network, record, names }))
        .slice(0, 1);
    })
    .sort((a, b) => b.record.anchors.length - a.record.anchors.length);
}

/** Tensor names in a file by the dialect's canonical names. */
function fileNamesBy({ canonical }: Dialect, names: Iterable<string>): ReadonlyMap<string, string> {
  const pairs = canonical ? [...canonical(names)] : Array.from(names, (name) => [name, name] as const);
  return new Map(pairs.map(([fileName, canonicalName]) => [canonicalName, fileName]));
}

export interface MatchedTensors {
  /** Options of the network in the file; defaults are left out, except for the classes. */
  readonly options: NetworkOptions & { readonly classes: number };
  /** The tensor of every parameter, by the parameter's name. */
  readonly tensors: ReadonlyMap<string, MatchedTensor>;
  /** Tensors of training state and bookkeeping. */
  readonly ignored: readonly string[];
}

export interface MatchedTensor {
  /** The tensor's name in the file. */
  readonly from: string;
  /** The parameter, with the shape it has in the file. */
  readonly parameter: Parameter;
}

/** @throws WeightsError with one report of all missing, unexpected and misshapen tensors. */
export function matchTensors(file: TensorFile, path: string, recognised: RecognisedFile): MatchedTensors {
  const { dialect, record, names } = recognised;
  const options = optionsInFile(file, path, recognised);
  const graph = buildGraph(configure(findNetwork(recognised.network), options));
  const nameOf = record.names(graph);
  const tensors = new Map<string, MatchedTensor>();
  const missing: string[] = [];
  const misshapen: string[] = [];
  for (const parameter of parametersOf(graph)) {
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
  const rest = [...names].filter(([, from]) => !used.has(from));
  const isIgnored = (names: readonly string[]) => names.some((name) => dialect.ignored.test(name));
  const problems = {
    missing,
    'with the wrong shape': misshapen,
    unexpected: rest.filter((pair) => !isIgnored(pair)).map(([, from]) => from),
  };
  const report = Object.entries(problems).flatMap(([what, list]) =>
    list.length === 0 ? [] : [`  ${list.length} ${what}:`, ...list.map((name) => `    ${name}`)],
  );
  if (report.length > 0)
    throw new WeightsError(
      `${path}: the tensors do not match ${dialect.name}'s ${recognised.network} (${options.classes} classes${options.auxiliary ? ', with the auxiliary classifier' : ''}):\n${report.join('\n')}`,
    );
  return { options, tensors, ignored: rest.filter(isIgnored).map(([, from]) => from) };
}

/** Infers classes, channels, embedding, auxiliary head and gammas by looking for the tensors of a network that has them all. */
function optionsInFile(
  file: TensorFile,
  path: string,
  { dialect, network, record, names }: RecognisedFile,
): MatchedTensors['options'] {
  const figures = findNetwork(network);
  const { auxiliaryHead = false, countPadding = false } = record;
  const whole = buildGraph(configure(figures, { classes: 2, auxiliary: auxiliaryHead }));
  const nameOf = record.names(whole);
  const shapeOf = (parameter: Parameter | undefined): readonly number[] | undefined => {
    const from = parameter && names.get(nameOf(parameter) ?? '');
    return from === undefined ? undefined : file.tensors.get(from)?.shape;
  };
  const isPresent = (parameter: Parameter) => shapeOf(parameter) !== undefined;
  const first = shapeOf(firstConvolutions(whole)[0]?.parameters.members[0]?.weight);
  if (first === undefined)
    throw new WeightsError(`${path}: not ${dialect.name}'s ${network}: the first convolution is missing`);
  const inputChannels = first[dialect.layout === 'torch' ? 1 : 2];
  // The main classifier comes first. Weight or bias alone is enough to know the number of classes.
  const [weight, bias] = classifierParameters(whole).map(shapeOf);
  const classes = bias?.[0] ?? (dialect.layout === 'torch' ? weight?.[0] : weight?.at(-1)) ?? 0;
  const [key, layer] = Object.entries(figures.layers).find(([, { kind }]) => kind === 'embedding') ?? [];
  const embedding = shapeOf(parametersOf(whole).find(({ name }) => name === `${key}/beta`))?.[0];
  return {
    classes,
    ...(!parametersOf(whole).some((parameter) => parameter.role === 'gamma' && isPresent(parameter)) && {
      gamma: false,
    }),
    ...(countPadding && { countPadding }),
    ...(classes > 0 && parametersOfHead(whole, 'auxiliary').some(isPresent) && { auxiliary: true }),
    ...(inputChannels !== undefined &&
      inputChannels !== figures.input[2] &&
      inputChannels > 0 && { inputChannels }),
    ...(layer?.kind === 'embedding' &&
      embedding !== undefined &&
      embedding !== layer.features && { embedding }),
  };
}

/**
 * The memory layout of parameters. All trainable parameters are views of one flat buffer, so that optimiser, averages and
 * clipping are a few operators over everything. Parameters of siblings that merge are adjacent, so that the merged weight
 * is a view too. The layout always follows the merged graph, whether or not a program merges: stores are interchangeable.
 *
 * Order: dense weights, convolution weights (weight decay applies up to here), convolution biases (bfloat16 needs a copy
 * of the convolutions' weights and biases), the rest.
 */
import {
  elementCount,
  type Graph,
  isStatistic,
  type MemberParameters,
  type Node,
  type Parameter,
  type Role,
} from '../graph/graph.ts';
import { frozenNames } from '../graph/parts.ts';
import { exchangePooling } from '../passes/exchange-pooling.ts';
import { mergeSiblings } from '../passes/merge-siblings.ts';
import type { DType, TensorSpec, ViewSpec } from './program.ts';

/** One parameter, or the parameters of merged siblings, in its flat buffer. */
interface Placement {
  readonly name: string;
  readonly members: readonly Parameter[];
  readonly shape: readonly number[];
  readonly offset: number;
}

export interface Layout {
  readonly trainable: readonly Placement[];
  /** Statistics that follow the batches. */
  readonly statistics: readonly Placement[];
  /** Parameters and statistics that a training leaves as they are: all in one buffer, without gradients or averages. */
  readonly frozen: readonly Placement[];
  /** Lengths in elements of the flat buffers. */
  readonly trainableLength: number;
  readonly statisticsLength: number;
  readonly frozenLength: number;
  /** Weight decay applies to the first this many elements. */
  readonly decayedLength: number;
  /** Convolution weights and biases, as [from, to). */
  readonly convolutions: readonly [from: number, to: number];
}

const trainableOrder: readonly (readonly Role[])[] = [
  ['linearWeight', 'hiddenWeight'],
  ['convWeight', 'residualWeight'],
  ['convBias'],
  ['linearBias', 'gamma', 'beta'],
];

/** In elements: 64-byte alignment suits vector loads and oneDNN. */
const alignment = 16;

/** Norms are first taken over rows of this length: a single float32 sum over millions of squares would lose the small ones. */
export const normRow = 1024;

/** Layouts by graph: a graph never changes, and a model's training, evaluation and preparation all ask for its layout. */
const layouts = new WeakMap<Graph, Layout>();

export function layOut(graph: Graph): Layout {
  const known = layouts.get(graph) ?? createLayout(graph);
  layouts.set(graph, known);
  return known;
}

function createLayout(graph: Graph): Layout {
  const all = mergeSiblings(exchangePooling(graph)).nodes.flatMap(parameterGroups);
  const constant = frozenNames(graph);
  const isConstant = ([first]: readonly Parameter[]) => constant.has((first as Parameter).name);
  const groups = all.filter((group) => !isConstant(group));
  let end = 0;
  const place = (roles: readonly Role[]): Placement[] => {
    const selected = groups.filter(([first]) => roles.includes((first as Parameter).role));
    const { placements, length } = placeGroups(selected, end);
    end = length;
    return placements;
  };
  const boundaries: number[] = [];
  const trainable = trainableOrder.flatMap((roles) => {
    const placed = place(roles);
    boundaries.push(end);
    return placed;
  });
  const [dense = 0, decayedLength = 0, convolutionsEnd = 0, used = 0] = boundaries;
  const trainableLength = Math.ceil(used / normRow) * normRow;
  end = 0;
  const statistics = [...place(['movingMean']), ...place(['movingVariance'])];
  const convolutions = [dense, convolutionsEnd] as const;
  const { placements: frozen, length: frozenLength } = placeGroups(all.filter(isConstant), 0);
  return {
    trainable,
    statistics,
    frozen,
    trainableLength,
    statisticsLength: end,
    frozenLength,
    decayedLength,
    convolutions,
  };
}

/** A node's parameters grouped by part, one per member: [[weight, weight], [bias, bias]]. */
function parameterGroups(node: Node): (readonly Parameter[])[] {
  const members = node.parameters.members as readonly MemberParameters[];
  return Object.keys(members[0] ?? {}).map((part) =>
    members.map((member) => (member as Record<string, Parameter>)[part] as Parameter),
  );
}

function placeGroups(
  groups: readonly (readonly Parameter[])[],
  start: number,
): { placements: Placement[]; length: number } {
  let end = start;
  const placements = groups.map((members) => {
    const placement = { ...describe(members), offset: end };
    end = Math.ceil((end + elementCount(placement.shape)) / alignment) * alignment;
    return placement;
  });
  return { placements, length: end };
}

function describe(members: readonly Parameter[]): Omit<Placement, 'offset'> {
  const [first] = members as readonly [Parameter];
  const outputs = members.reduce((sum, { shape }) => sum + (shape[0] as number), 0);
  return { name: mergedName(members), members, shape: [outputs, ...first.shape.slice(1)] };
}

/** The name of the view over merged siblings' parameters; a single parameter keeps its name. */
export const mergedName = (members: readonly Parameter[]): string =>
  members.map(({ name }) => name).join('+');

/** Strides in elements. Convolution weights [o, i, h, w] are stored as [o, h, w, i]. */
function stridesOf(shape: readonly number[]): readonly number[] {
  const [, inputs = 1, height = 1, width = 1] = shape;
  if (shape.length === 4) return [inputs * height * width, 1, width * inputs, inputs];
  return shape.length === 2 ? [inputs, 1] : [1];
}

/** A range of a flat tensor's elements as a view. */
export const part = (name: string, tensor: string, [begin, end]: readonly [number, number]): ViewSpec => ({
  name,
  of: tensor,
  shape: [end - begin],
  strides: [1],
  offset: begin,
});

/** The flat tensor `flat/KIND` with a view `PREFIX/NAME` for every parameter and for every run of siblings. */
export function flatTensor(
  placements: readonly Placement[],
  { kind, prefix, dtype, length, start = 0, fill = 0 }: FlatOptions,
): FlatTensor {
  const tensor = `flat/${kind}`;
  const view = (name: string, shape: readonly number[], offset: number): ViewSpec => ({
    name: prefix + name,
    of: tensor,
    shape,
    strides: stridesOf(shape),
    offset: offset - start,
  });
  const views = placements.flatMap(({ members, offset }) => {
    let begin = offset;
    return members.flatMap((member, first) => {
      // A program may merge all members or only some adjacent ones.
      const runs = members.slice(first).map((_, more) => describe(members.slice(first, first + more + 1)));
      const runViews = runs.map(({ name, shape }) => view(name, shape, begin));
      begin += elementCount(member.shape);
      return runViews;
    });
  });
  return { tensors: [{ name: tensor, dtype, shape: [length], fill }], views };
}

/** The frozen parameters and statistics; the parameters' averages are the parameters. */
export function frozenTensors({ frozen, frozenLength: length }: Layout): FlatTensor[] {
  if (length === 0) return [];
  const options = { kind: 'frozen', dtype: 'float32', length } as const;
  const averaged = frozen.filter(({ members }) => !members.some(isStatistic));
  return [
    flatTensor(frozen, { ...options, prefix: '' }),
    { tensors: [], views: flatTensor(averaged, { ...options, prefix: 'averages/' }).views },
  ];
}

/** The statistics that follow the batches; none where all are frozen. */
export const statisticsTensors = ({ statistics, statisticsLength: length }: Layout): FlatTensor[] =>
  length === 0 ? [] : [flatTensor(statistics, { kind: 'statistics', prefix: '', dtype: 'float32', length })];

export interface FlatTensor {
  readonly tensors: readonly TensorSpec[];
  readonly views: readonly ViewSpec[];
}

interface FlatOptions {
  readonly kind: string;
  readonly prefix: string;
  readonly dtype: DType;
  readonly length: number;
  /** Offset of this tensor's first element in the whole layout. */
  readonly start?: number;
  readonly fill?: number;
}

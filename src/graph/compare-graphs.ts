/** Compares two networks part by part: structure on each side, and the resulting shapes and costs. */
import { type LayerSummary, summariseParts } from './costs.ts';
import { formatShape, type Graph, type Node } from './graph.ts';

/** One part of two networks, side by side. */
export interface PartDifference {
  /** A part of the network, such as `inceptionResnetA/0..9`; equal neighbouring blocks are joined. */
  readonly name: string;
  /**
   * `differs`: in kind, in a layer's window, filters, order, scale or ReLU. `follows`: the same layers, whose shapes and costs differ
   * because earlier parts hand on other channels or grids.
   */
  readonly kind: 'same' | 'follows' | 'differs' | 'only in the first' | 'only in the second';
  readonly first: string | undefined;
  readonly second: string | undefined;
  /** The differences in kind inside, one line per layer. */
  readonly layers: readonly string[];
}

/** A part described so that parts of equal kind have equal layers: windows, filters and wiring as the figure has them. */
interface PartDescription {
  readonly summary: LayerSummary;
  readonly layers: ReadonlyMap<string, string>;
}

/** Compares part by part: parts are paired by name, and the blocks of a repetition by number. */
export function compareGraphs(first: Graph, second: Graph): PartDifference[] {
  const [left, right] = [describeParts(first), describeParts(second)];
  const names = mergedOrder([...left.keys()], [...right.keys()]);
  const differences = names.map((name): PartDifference => {
    const [a, b] = [left.get(name), right.get(name)];
    const [firstOutline, secondOutline] = [a && outline(a), b && outline(b)];
    // A block that only one side has is compared with the previous block.
    const previousBlock = previousBlockOf(name);
    const pair = a && b ? [a, b] : [(a ? left : right).get(previousBlock ?? ''), a ?? b];
    const layers = pair[0] && pair[1] ? differingLayers(pair[0].layers, pair[1].layers) : [];
    const kind = !a
      ? 'only in the second'
      : !b
        ? 'only in the first'
        : layers.length > 0
          ? 'differs'
          : firstOutline !== secondOutline
            ? 'follows'
            : 'same';
    return { name, kind, first: firstOutline, second: secondOutline, layers };
  });
  return joinRuns(differences);
}

function describeParts(graph: Graph): ReadonlyMap<string, PartDescription> {
  return new Map(
    summariseParts(graph).map((summary) => {
      const { name } = summary;
      const inside = graph.nodes.filter(({ path }) => path === name || path.startsWith(`${name}/`));
      const layers = new Map<string, string>();
      for (const node of inside) {
        const path = node.path.slice(name.length + 1);
        layers.set(path, [layers.get(path), describe(node)].filter(Boolean).join(', '));
      }
      return [name, { summary, layers }] as const;
    }),
  );
}

/** Describes one operation in the words of the figures. Filters that follow from the channels before it are no part of them. */
function describe(node: Node): string {
  const { shape } = node;
  switch (node.op) {
    case 'conv': {
      const { window, stride, padding, groups, bias } = node.attributes;
      const marks = [
        stride > 1 && `stride ${stride}`,
        padding.every((side) => side === 0) && Math.max(...window) > 1 && 'V',
        groups > 1 && groups !== shape[2] && `in ${groups} groups`,
        bias && 'Linear',
      ];
      const isResidual = node.parameters.members.some(({ weight }) => weight?.role === 'residualWeight');
      const isDepthwise = groups > 1 && groups === shape[2];
      const filters = isResidual ? "to the input's depth" : isDepthwise ? 'depthwise' : shape[2];
      return [`conv ${formatShape(window)}`, filters, ...marks].filter(Boolean).join(' ');
    }
    case 'maxPool':
    case 'avgPool':
      return `${node.op} ${formatShape(node.attributes.window)}${node.attributes.stride > 1 ? ` stride ${node.attributes.stride}` : ''}${node.op === 'avgPool' && node.attributes.countPadding ? ' counting its padding' : ''}`;
    case 'scaledAdd':
      return `add × ${node.attributes.scale}`;
    case 'dropout':
      return `dropout, keep ${node.attributes.keep}`;
    case 'relu':
      return 'ReLU';
    case 'batchNorm':
      return node.parameters.members.every((member) => member.gamma)
        ? 'batch norm'
        : 'batch norm without gamma';
    case 'linear':
      return `fully connected, ${shape[2]}`;
    // Listed one by one, so that a new operation must be considered here.
    case 'input':
    case 'pad':
    case 'globalAvgPool':
    case 'concat':
    case 'slice':
      return node.op;
  }
}

/** Shape and costs of a part. */
const outline = ({ summary: { shape, parameters, macs } }: PartDescription): string =>
  parameters === 0
    ? formatShape(shape)
    : `${formatShape(shape)}, ${scaled(parameters)} parameters, ${scaled(macs)} multiply-adds`;

/** 5280 as 5.28 k. */
function scaled(count: number): string {
  const [unit, power] = count < 1e6 ? ['k', 1e3] : count < 1e9 ? ['M', 1e6] : ['G', 1e9];
  return `${(count / power).toPrecision(3)} ${unit}`;
}

/** inceptionResnetC/8 for inceptionResnetC/9. */
function previousBlockOf(name: string): string | undefined {
  const match = /^(.*)\/(\d+)$/.exec(name);
  return match ? `${match[1]}/${Number(match[2]) - 1}` : undefined;
}

function differingLayers(first: ReadonlyMap<string, string>, second: ReadonlyMap<string, string>): string[] {
  const names = mergedOrder([...first.keys()], [...second.keys()]);
  return names.flatMap((name) => {
    const [firstLayer, secondLayer] = [first.get(name), second.get(name)];
    return firstLayer === secondLayer
      ? []
      : [`${name === '' ? '(the part)' : name}: ${firstLayer ?? 'none'} | ${secondLayer ?? 'none'}`];
  });
}

/** The order of `first`, with names only in `second` inserted after their neighbours there. */
function mergedOrder(first: readonly string[], second: readonly string[]): string[] {
  const result = [...first];
  second.forEach((name, index) => {
    if (result.includes(name)) return;
    const neighbour = second.slice(0, index).findLast((other) => result.includes(other));
    result.splice(neighbour === undefined ? 0 : result.indexOf(neighbour) + 1, 0, name);
  });
  return result;
}

/** Joins inceptionA/0, inceptionA/1 and inceptionA/2 to inceptionA/0..2 if they are alike. */
function joinRuns(differences: readonly PartDifference[]): PartDifference[] {
  const joined: (PartDifference & { last: number })[] = [];
  for (const difference of differences) {
    const match = /^(.*)\/(\d+)$/.exec(difference.name);
    const previous = joined.at(-1);
    const number = match ? Number(match[2]) : -1;
    const same =
      previous &&
      match &&
      previous.name.startsWith(`${match[1]}/`) &&
      previous.last === number - 1 &&
      JSON.stringify({ ...previous, name: '', last: 0 }) ===
        JSON.stringify({ ...difference, name: '', last: 0 });
    if (!same || !previous || !match) {
      joined.push({ ...difference, last: number });
      continue;
    }
    const firstNumber = /\/(\d+)/.exec(previous.name.slice((match[1] as string).length))?.[1];
    joined[joined.length - 1] = { ...previous, name: `${match[1]}/${firstNumber}..${number}`, last: number };
  }
  return joined.map(({ last: _, ...rest }) => rest);
}

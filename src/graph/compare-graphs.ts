/** Where two networks differ, part by part: what stands on each side, and which shapes and costs come of it. */
import { type LayerSummary, summariseParts } from './costs.ts';
import { formatShape, type Graph, type Node } from './graph.ts';

/** One part of two networks, side by side. */
export interface PartDifference {
  /** A part of the network, as `inceptionResnetA/0..9`; equal neighbours are one line. */
  readonly name: string;
  readonly kind: 'same' | 'differs' | 'only in the first' | 'only in the second';
  readonly first: string | undefined;
  readonly second: string | undefined;
  /** What is different inside, one line for each layer. */
  readonly layers: readonly string[];
}

/** A part in words that are the same for equal parts: its layers with windows, filters and wiring. */
interface Described {
  readonly summary: LayerSummary;
  readonly layers: ReadonlyMap<string, string>;
}

/** Compares part by part: parts are paired by name, and the blocks of a repetition by their number. */
export function compareGraphs(first: Graph, second: Graph): PartDifference[] {
  const [left, right] = [describeParts(first), describeParts(second)];
  const names = mergedOrder([...left.keys()], [...right.keys()]);
  const differences = names.map((name): PartDifference => {
    const [a, b] = [left.get(name), right.get(name)];
    const [own, other] = [a && outline(a), b && outline(b)];
    // A block that only one side has is held against the block before it.
    const before = blockBefore(name);
    const pair = a && b ? [a, b] : [(a ? left : right).get(before ?? ''), a ?? b];
    const layers = pair[0] && pair[1] ? differingLayers(pair[0].layers, pair[1].layers) : [];
    const kind = !a
      ? 'only in the second'
      : !b
        ? 'only in the first'
        : layers.length > 0 || own !== other
          ? 'differs'
          : 'same';
    return { name, kind, first: own, second: other, layers };
  });
  return joinRuns(differences);
}

function describeParts(graph: Graph): ReadonlyMap<string, Described> {
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

/** One operation in the figures' words. */
function describe(node: Node): string {
  const { shape } = node;
  switch (node.op) {
    case 'conv': {
      const { window, stride, padding, groups, bias } = node.attributes;
      const marks = [
        stride > 1 && `stride ${stride}`,
        padding.every((side) => side === 0) && Math.max(...window) > 1 && 'V',
        groups > 1 && `in ${groups} groups`,
        bias && 'Linear',
      ];
      return [`conv ${formatShape(window)}`, shape[2], ...marks].filter(Boolean).join(' ');
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
    // Written one by one, so that a new operation has to say what a reader should be told of it.
    case 'input':
    case 'batchNormRelu':
    case 'pad':
    case 'globalAvgPool':
    case 'concat':
    case 'slice':
      return node.op;
  }
}

/** Shape and costs of a part. */
const outline = ({ summary: { shape, parameters, macs } }: Described): string =>
  parameters === 0
    ? formatShape(shape)
    : `${formatShape(shape)}, ${scaled(parameters)} parameters, ${scaled(macs)} multiply-adds`;

/** 5280 as 5.28 k. */
function scaled(count: number): string {
  const [unit, power] = count < 1e6 ? ['k', 1e3] : count < 1e9 ? ['M', 1e6] : ['G', 1e9];
  return `${(count / power).toPrecision(3)} ${unit}`;
}

/** inceptionResnetC/8 for inceptionResnetC/9. */
function blockBefore(name: string): string | undefined {
  const match = /^(.*)\/(\d+)$/.exec(name);
  return match ? `${match[1]}/${Number(match[2]) - 1}` : undefined;
}

function differingLayers(first: ReadonlyMap<string, string>, second: ReadonlyMap<string, string>): string[] {
  const names = mergedOrder([...first.keys()], [...second.keys()]);
  return names.flatMap((name) => {
    const [own, other] = [first.get(name), second.get(name)];
    return own === other
      ? []
      : [`${name === '' ? '(the part)' : name}: ${own ?? 'none'} | ${other ?? 'none'}`];
  });
}

/** The first's order, with what only the second has after its neighbour there. */
function mergedOrder(first: readonly string[], second: readonly string[]): string[] {
  const result = [...first];
  second.forEach((name, index) => {
    if (result.includes(name)) return;
    const before = second.slice(0, index).findLast((each) => result.includes(each));
    result.splice(before === undefined ? 0 : result.indexOf(before) + 1, 0, name);
  });
  return result;
}

/** inceptionA/0, inceptionA/1 and inceptionA/2 become inceptionA/0..2 where they are alike. */
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
    const from = /\/(\d+)/.exec(previous.name.slice((match[1] as string).length))?.[1];
    joined[joined.length - 1] = { ...previous, name: `${match[1]}/${from}..${number}`, last: number };
  }
  return joined.map(({ last: _, ...rest }) => rest);
}

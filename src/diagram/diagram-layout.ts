/**
 * The layout of a figure's boxes, as plain data. Figures read from top to bottom: the input, parallel branches, then the filter
 * concatenation.
 */

import { chainPaths } from '../graph/layer-names.ts';
import {
  type Branch,
  blockAt,
  type Conv,
  type Depthwise,
  type Layer,
  type Pool,
  type Repeat,
  type Residual,
  type Sum,
} from '../networks/notation.ts';

export type Look = 'conv' | 'pool' | 'join' | 'act' | 'stage' | 'plain';

export type Item =
  | {
      readonly kind: 'box';
      readonly look: Look;
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
      readonly lines: readonly string[];
      /** The layer that it represents, where the figure has a path. */
      readonly path?: string | undefined;
    }
  | {
      readonly kind: 'circle';
      readonly x: number;
      readonly y: number;
      readonly radius: number;
      readonly text: string;
    }
  /** A line through points, optionally with an arrowhead at the last. */
  | { readonly kind: 'path'; readonly points: readonly Point[]; readonly arrow: boolean }
  | {
      readonly kind: 'text';
      readonly x: number;
      readonly y: number;
      readonly text: string;
      readonly look: 'title' | 'note';
    }
  /** A number at a box that departs from print; `why` is the note of that number. */
  | {
      readonly kind: 'mark';
      readonly x: number;
      readonly y: number;
      readonly text: string;
      readonly why: string;
    };

export type Point = readonly [x: number, y: number];

/** Items inside a rectangle; data enters at the top and leaves at the bottom, both at x = `axis`. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly axis: number;
  readonly items: readonly Item[];
  /** Whether it begins with a forking line instead of a box, so that the line into it needs no arrowhead. */
  readonly forks?: boolean;
}

const gap = 22;
const lineHeight = 16;
/** From a text's baseline to the top of its letters. */
const textHeight = 9;

/** An upper estimate, because fonts differ: text must fit its box. */
export const textWidth = (text: string): number => text.length * 7.8;

export function move(items: readonly Item[], dx: number, dy: number): Item[] {
  return items.map((item) =>
    item.kind === 'path'
      ? { ...item, points: item.points.map(([x, y]) => [x + dx, y + dy] as const) }
      : { ...item, x: item.x + dx, y: item.y + dy },
  );
}

/** The same drawing from bottom to top, as the paper draws. Lines of a text keep their order. */
export const upsideDown = (drawing: Drawing): Drawing => ({
  ...drawing,
  items: drawing.items.map((item) => turned(item, drawing.height)),
});

function turned(item: Item, height: number): Item {
  switch (item.kind) {
    case 'box':
      return { ...item, y: height - item.y - item.height };
    case 'path':
      return { ...item, points: item.points.map(([x, y]) => [x, height - y] as const) };
    case 'circle':
    case 'mark':
      return { ...item, y: height - item.y };
    case 'text':
      return { ...item, y: height - item.y + textHeight };
  }
}

export function box(
  look: Look,
  lines: readonly string[],
  { minWidth = 92, path }: { minWidth?: number; path?: string | undefined } = {},
): Drawing {
  const width = Math.max(minWidth, ...lines.map((line) => textWidth(line) + 18));
  const height = lines.length * lineHeight + 12;
  const drawn: Item = { kind: 'box', look, x: 0, y: 0, width, height, lines, path };
  return { width, height, axis: width / 2, items: [drawn] };
}

/** Options of a figure besides its layer. */
export interface FigureContext {
  /** The channel count of a residual block's input. */
  readonly depth?: number | undefined;
  /** The layer's name in the graph, from which the boxes get theirs. */
  readonly path?: string | undefined;
  /** Extra lines for the box of a layer, by its name. */
  readonly notes?: ((path: string) => readonly string[]) | undefined;
}

/** The box of a layer, with its name and notes. */
function layerBox(look: Look, lines: readonly string[], { path, notes }: FigureContext): Drawing {
  const more = path === undefined ? undefined : notes?.(path);
  return box(look, [...lines, ...(more ?? [])], { path });
}

/** Stacks parts vertically on a common axis, with arrows between them. */
export function stack(parts: readonly Drawing[]): Drawing {
  const axis = Math.max(...parts.map((part) => part.axis));
  const width = axis + Math.max(...parts.map((part) => part.width - part.axis));
  const items: Item[] = [];
  let y = 0;
  parts.forEach((part, index) => {
    if (index > 0) {
      const points: Point[] = [
        [axis, y],
        [axis, y + gap],
      ];
      items.push({ kind: 'path', points, arrow: !part.forks });
      y += gap;
    }
    items.push(...move(part.items, axis - part.axis, y));
    y += part.height;
  });
  return { width, height: y, axis, items, forks: parts[0]?.forks ?? false };
}

const arrow = (...points: Point[]): Item => ({ kind: 'path', points, arrow: true });

/** Parallel branches between one input and a bar. */
function fork(branches: readonly Drawing[], label: string, { path, notes }: FigureContext = {}): Drawing {
  const between = 16;
  const inner = branches.reduce((sum, branch) => sum + branch.width, 0) + between * (branches.length - 1);
  const width = Math.max(inner, textWidth(label) + 24);
  const left = (width - inner) / 2;
  const axis = forkAxis(branches, { left, between, middle: width / 2 });
  const top = 26;
  const height = Math.max(...branches.map((branch) => branch.height));
  const barY = top + height + gap;
  const items: Item[] = [];
  let x = left;
  for (const branch of branches) {
    const branchX = x + branch.axis;
    // Short branches are centred between input and bar.
    const y = top + (height - branch.height) / 2;
    items.push({
      kind: 'path',
      points: [
        [axis, 0],
        [axis, 8],
        [branchX, 8],
        [branchX, y],
      ],
      arrow: !branch.forks,
    });
    items.push(...move(branch.items, x, y), arrow([branchX, y + branch.height], [branchX, barY]));
    x += branch.width + between;
  }
  const bar = [label, ...((path !== undefined && notes?.(path)) || [])].join('  ');
  items.push({ kind: 'box', look: 'join', x: 0, y: barY, width, height: 26, lines: [bar], path });
  return { width, height: barY + 26, axis, items, forks: true };
}

/** The middle, or the axis of a branch so close to it that the line would show a small kink. */
function forkAxis(
  branches: readonly Drawing[],
  { left, between, middle }: { left: number; between: number; middle: number },
): number {
  let x = left;
  for (const branch of branches) {
    if (Math.abs(x + branch.axis - middle) < 20) return x + branch.axis;
    x += branch.width + between;
  }
  return middle;
}

/** Branches that are summed; an empty one is drawn as a line. */
function sumFigure(layer: Sum, context: FigureContext): Drawing {
  const added = fork(
    branchFigures(layer.branches, context),
    'Sum',
    layer.relu ? { notes: undefined } : context,
  );
  const relu = box('act', ['ReLU'], { minWidth: 70, path: context.path });
  return layer.relu ? { ...stack([added, relu]), forks: true } : added;
}

/** The shortcut on the left, the scaled branches on the right, and their sum. */
function residualFigure(layer: Residual, context: FigureContext): Drawing {
  const { depth, path } = context;
  const inside = path === undefined ? undefined : `${path}/linear`;
  const linear = layerBox('conv', ['1×1 Conv', depth === undefined ? 'Linear' : `${depth} Linear`], {
    ...context,
    path: inside,
  });
  const { shortcut = true, norm = false } = layer;
  const after = [
    ...(norm ? [box('act', ['Batch norm'], { minWidth: 70 })] : []),
    ...(layer.relu ? [box('act', ['ReLU'], { minWidth: 70 })] : []),
  ];
  const concatenated = fork(branchFigures(layer.branches, context), 'Filter concat');
  if (!shortcut) return stack([concatenated, linear, ...after]);
  const branches = stack([
    concatenated,
    linear,
    ...(layer.scale === 1 ? [] : [box('plain', [`× ${layer.scale}`], { minWidth: 60 })]),
  ]);
  const left = 44;
  const sumY = branches.height + gap + 34;
  const axis = left + branches.axis;
  const radius = 12;
  const items: Item[] = [
    ...move(branches.items, left, 18),
    {
      kind: 'path',
      points: [
        [axis, 0],
        [axis, 18],
      ],
      arrow: false,
    },
    arrow([axis, 6], [14, 6], [14, sumY], [axis - radius, sumY]),
    arrow([axis, 18 + branches.height], [axis, sumY - radius]),
    { kind: 'circle', x: axis, y: sumY, radius, text: '+' },
  ];
  let height = sumY + radius;
  for (const next of after) {
    items.push(
      arrow([axis, height], [axis, height + gap]),
      ...move(next.items, axis - next.axis, height + gap),
    );
    height += gap + next.height;
  }
  return { width: left + branches.width, height, axis, items, forks: true };
}

const branchFigures = (branches: readonly Branch[], { path, notes }: FigureContext): Drawing[] =>
  branches.map((branch, index) =>
    chainFigure(branch, { notes, path: path === undefined ? undefined : `${path}/branch${index}` }),
  );

/** Layers in sequence: a branch or a stem. */
export function chainFigure(layers: readonly Layer[], { path, notes }: FigureContext = {}): Drawing {
  if (layers.length === 0) return { width: 24, height: 0, axis: 12, items: [], forks: true };
  const paths = path === undefined ? [] : chainPaths(layers, path);
  return stack(layers.map((layer, index) => figure(layer, { notes, path: paths[index] })));
}

const kernel = ({ window }: Conv | Depthwise | Pool): string => window.replace('x', '×');

/** The lines of a convolution's box after its window. */
function convolutionLines(layer: Conv | Depthwise): readonly string[] {
  const { norm = true, marks } = layer;
  const filters = layer.kind === 'conv' ? layer.filters : undefined;
  const groups = layer.kind === 'conv' && layer.groups !== undefined ? layer.groups : 1;
  const words = [filters, marks].filter((word) => word !== undefined).join(' ');
  return [
    ...(words === '' ? [] : [words]),
    ...(groups > 1 ? [`${groups} groups`] : []),
    ...(norm ? [] : ['no batch norm']),
  ];
}

/** One layer with everything inside it. */
export function figure(layer: Layer, context: FigureContext = {}): Drawing {
  const { depth, path, notes } = context;
  switch (layer.kind) {
    case 'conv':
      return layerBox('conv', [`${kernel(layer)} Conv`, ...convolutionLines(layer)], context);
    case 'depthwise':
      return layerBox('conv', [`${kernel(layer)} Depthwise`, ...convolutionLines(layer)], context);
    case 'relu':
      return layerBox('act', ['ReLU'], context);
    case 'maxPool':
    case 'avgPool': {
      const name = layer.kind === 'maxPool' ? 'MaxPool' : 'AvgPool';
      return layerBox('pool', [`${kernel(layer)} ${name}`, ...(layer.marks ? [layer.marks] : [])], context);
    }
    case 'filterConcat':
      return fork(branchFigures(layer.branches, context), 'Filter concat', context);
    case 'residual':
      return residualFigure(layer, context);
    case 'sum':
      return sumFigure(layer, context);
    case 'sequence':
      return chainFigure(layer.layers, context);
    case 'repeat':
      return stack(
        Array.from({ length: layer.count }, (_, index) =>
          figure(blockAt(layer, index), {
            depth,
            notes,
            path: path === undefined ? undefined : `${path}/${index}`,
          }),
        ),
      );
    case 'globalAvgPool':
      return layerBox('pool', ['Average pooling'], context);
    case 'dropout':
      return layerBox('plain', ['Dropout', `keep ${layer.keep}`], context);
    case 'fullyConnected':
      return layerBox('act', ['Fully connected'], context);
    case 'embedding':
      return layerBox('act', ['Embedding', `${layer.features}, batch norm`], context);
    case 'dense':
      return layerBox('act', ['Fully connected', `${layer.units}, ReLU`], context);
  }
}

/** A run of equal blocks in a repeat, `from` and `to` inclusive. */
export interface Variant {
  readonly block: Layer;
  readonly from: number;
  readonly to: number;
}

/** The distinct blocks of a repeat, in order; most have one variant. */
export function variants(layer: Repeat): readonly Variant[] {
  const runs: { block: Layer; from: number; to: number }[] = [];
  for (let index = 0; index < layer.count; index++) {
    const block = blockAt(layer, index);
    const run = runs.at(-1);
    if (run?.block === block) run.to = index;
    else runs.push({ block, from: index, to: index });
  }
  return runs;
}

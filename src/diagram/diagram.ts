/** Draws a network: the overall schema (figures 9 and 15) and a figure for every distinct block, or one of them. */
import { UsageError } from '../errors.ts';
import { buildGraph } from '../graph/build-graph.ts';
import { formatShape, type Graph, type Node, type Shape } from '../graph/graph.ts';
import { auxiliaryName } from '../graph/layer-names.ts';
import type { ConfiguredNetwork } from '../networks/networks.ts';
import type { Layer, Repeat } from '../networks/notation.ts';
import { costLine, costLines, nodesAt } from './cost-lines.ts';
import {
  box,
  type Drawing,
  figure,
  type Item,
  move,
  stack,
  textWidth,
  upsideDown,
  variants,
} from './diagram-layout.ts';
import { type PrintedPart, type PrintNote, printedPart, withMarks } from './print-marks.ts';
import { markRadius, type Sheet } from './sheet.ts';
import { svgOf } from './svg.ts';

/** What to draw, and how. */
export interface DiagramOptions {
  /** The key of a part that has a figure of its own: `inceptionA`. Default: the overall schema and the figures of all parts. */
  readonly part?: string;
  /** `up`: the input at the bottom, as the paper draws. Default `down`. */
  readonly direction?: 'down' | 'up';
  /** Output shape, parameters and multiply-adds in every box. Default false. */
  readonly costs?: boolean;
}

/** The diagram as the text of an SVG file. @throws UsageError for a part without a figure */
export const drawDiagram = (network: ConfiguredNetwork, options: DiagramOptions = {}): string =>
  svgOf(diagramSheet(network, options));

/** The diagram before it is written in some format. @throws UsageError for a part without a figure */
export function diagramSheet(network: ConfiguredNetwork, options: DiagramOptions = {}): Sheet {
  const context = { graph: buildGraph(network), ...options };
  const { part } = options;
  const parts = partFigures(context);
  const chosen = part === undefined ? parts : parts.filter(({ key }) => key === part);
  if (chosen.length === 0 && part !== undefined) {
    const keys = [...new Set(parts.map(({ key }) => key))];
    throw new UsageError(
      `part: ${network.name} has no figure of '${part}'; expected ${keys.join(', ') || 'none, since none of its parts has more than one box'}`,
    );
  }
  const figures = [
    ...(part === undefined
      ? [titled('Overall schema', schema(context), printedPart(network, ''), context)]
      : []),
    ...chosen.map(({ drawing }) => drawing),
  ];
  const size = formatShape(network.input);
  return {
    title: part === undefined ? `${network.name}, ${size}` : `${nameOf(part)} of ${network.name}, ${size}`,
    description:
      part === undefined
        ? `The figures of ${network.name}: its overall schema for an input of ${size}, then every distinct block with its branches.`
        : `${nameOf(part)} of ${network.name} for an input of ${size}, with its branches.`,
    ...inColumns(figures),
  };
}

interface Context extends DiagramOptions {
  readonly graph: Graph;
}

/** inceptionResnetA → Inception-ResNet-A; reductionB → Reduction-B; averagePooling → Average pooling. */
export function nameOf(key: string): string {
  const block = /^(inceptionResnet|inception|reduction)([A-Z])$/.exec(key);
  if (!block) {
    const words = key.replace(/([A-Z]|\d+)/g, ' $1').toLowerCase();
    return words.charAt(0).toUpperCase() + words.slice(1);
  }
  const [, family, letter] = block as unknown as [string, string, string];
  const names: Readonly<Record<string, string>> = {
    inceptionResnet: 'Inception-ResNet',
    inception: 'Inception',
    reduction: 'Reduction',
  };
  return `${names[family]}-${letter}`;
}

const shapeOf = (graph: Graph, endpoint: string): Shape =>
  (graph.nodes[graph.endpoints.get(endpoint) as number] as Node).shape;

function schema({ graph, costs = false }: Context): Drawing {
  const { network } = graph;
  const stage = (label: readonly string[], shape: Shape): Drawing => {
    const drawn = box('stage', label, { minWidth: 190 });
    const note = {
      kind: 'text',
      look: 'note',
      x: drawn.width / 2 + 10,
      y: drawn.height + 15,
      text: formatShape(shape),
    } as const;
    return { ...drawn, items: [...drawn.items, note] };
  };
  const stages = Object.entries(network.layers).map(([key, layer]) => {
    const times = layer.kind === 'repeat' && layer.count > 1 ? `${layer.count} × ` : '';
    const lines = [
      `${times}${nameOf(key)}`,
      ...detail(layer, network.classes),
      ...(costs ? costLine(nodesAt(graph, key)) : []),
    ];
    return stage(lines, shapeOf(graph, key));
  });
  const drawing = stack([
    stage(['Input'], network.input),
    ...stages,
    box('act', ['Softmax'], { minWidth: 190 }),
  ]);
  return { ...drawing, width: drawing.width + 40 };
}

/** The lines of a single box after its name. */
function detail(layer: Layer, classes: number): string[] {
  if ('window' in layer) {
    const filters = layer.kind === 'conv' ? layer.filters : undefined;
    return [[layer.window.replace('x', '×'), filters, layer.marks].filter(Boolean).join(', ')];
  }
  if (layer.kind === 'dropout') return [`keep ${layer.keep}`];
  if (layer.kind === 'embedding') return [`fully connected, ${layer.features}`, 'batch normalisation'];
  if (layer.kind === 'dense') return [`fully connected, ${layer.units}`, 'ReLU'];
  return layer.kind === 'fullyConnected' ? [`fully connected, ${classes}`] : [];
}

/** Whether a kind gets a separate figure; the others fit in a box of the overall schema. */
const composed: Readonly<Record<Layer['kind'], boolean>> = {
  filterConcat: true,
  residual: true,
  sum: true,
  sequence: true,
  repeat: true,
  conv: false,
  depthwise: false,
  relu: false,
  maxPool: false,
  avgPool: false,
  globalAvgPool: false,
  dropout: false,
  fullyConnected: false,
  embedding: false,
  dense: false,
};

interface PartFigure {
  readonly key: string;
  readonly drawing: Drawing;
}

/** A figure for every layer with branches or several boxes, and for the auxiliary classifier. */
function partFigures(context: Context): readonly PartFigure[] {
  const { graph } = context;
  const { layers, auxiliary } = graph.network;
  let input = graph.network.input as Shape;
  const blocks = Object.entries(layers).flatMap(([key, layer]) => {
    const before = input;
    const after = shapeOf(graph, key);
    input = after;
    if (layer.kind === 'repeat') return repeatFigures(context, { key, layer, before });
    if (!composed[layer.kind]) return [];
    const drawn = drawLayer(context, { layer, path: key, before });
    return [
      {
        key,
        drawing: titled(nameOf(key), drawn, printedPart(graph.network, key), {
          ...context,
          note: fromTo(before, after),
        }),
      },
    ];
  });
  if (!auxiliary) return blocks;
  const lines = context.costs ? costLines(graph) : undefined;
  const before = shapeOf(graph, auxiliary.after);
  const boxes = Object.entries(auxiliary.layers).map(([key, layer]) =>
    figure(layer, { path: `${auxiliaryName}/${key}`, notes: lines }),
  );
  const drawn = stack([inputBox(before), ...boxes]);
  const note = `training only, after ${nameOf(auxiliary.after)}`;
  const drawing = titled('Auxiliary classifier', drawn, printedPart(graph.network, auxiliaryName), {
    ...context,
    note,
  });
  return [...blocks, { key: auxiliaryName, drawing }];
}

const inputBox = (shape: Shape): Drawing => box('plain', ['Input', formatShape(shape)]);

function drawLayer(
  { graph, costs = false }: Context,
  { layer, path, before }: { layer: Layer; path: string; before: Shape },
): Drawing {
  const notes = costs ? costLines(graph) : undefined;
  return stack([inputBox(before), figure(layer, { path, depth: before[2], notes })]);
}

function repeatFigures(
  context: Context,
  { key, layer, before }: { key: string; layer: Repeat; before: Shape },
): readonly PartFigure[] {
  const { graph } = context;
  const outputOf = (index: number) => (index < 0 ? before : shapeOf(graph, `${key}/${index}`));
  const runs = variants(layer);
  return runs.map(({ block, from, to }) => {
    const path = `${key}/${from}`;
    const drawn = drawLayer(context, { layer: block, path, before: outputOf(from - 1) });
    const shapes = fromTo(outputOf(from - 1), outputOf(to));
    const times = runs.length === 1 && layer.count > 1 ? `${layer.count} × ` : '';
    const which = from === to ? `block ${from}` : `blocks ${from} to ${to}`;
    const note = runs.length === 1 ? shapes : `${which} of ${layer.count}, ${shapes}`;
    const printed = printedPart(graph.network, key);
    return { key, drawing: titled(times + nameOf(key), drawn, printed, { ...context, note, path }) };
  });
}

const fromTo = (before: Shape, after: Shape): string =>
  formatShape(before) === formatShape(after)
    ? formatShape(after)
    : `${formatShape(before)} → ${formatShape(after)}`;

/** The figure in its direction under its heading, with marks where it departs from print and their notes below. */
function titled(
  title: string,
  drawn: Drawing,
  { figure: printed, notes }: PrintedPart,
  { direction = 'down', note, path }: DiagramOptions & { note?: string; path?: string },
): Drawing {
  const turned = direction === 'up' ? upsideDown(drawn) : drawn;
  const marked = withMarks(turned, { path: path ?? pathOf(turned), notes });
  const under = [printed, note].filter((text) => text !== undefined).join(' · ');
  const top = under === '' ? 34 : 54;
  const headingWidth = title.length * 10.4;
  const width = Math.max(
    drawn.width + markRadius,
    headingWidth + 60,
    textWidth(under),
    notes.length > 0 ? 330 : 0,
  );
  const below = notesBelow(notes, { width, y: top + drawn.height + 16 });
  const onTitle = notes
    .filter(({ at }) => at === '')
    .map(
      ({ number, why }, index): Item => ({
        kind: 'mark',
        x: headingWidth + 16 + index * 20,
        y: 10,
        text: String(number),
        why,
      }),
    );
  const items: Item[] = [
    { kind: 'text', look: 'title', x: 0, y: 16, text: title },
    ...onTitle,
    ...(under === '' ? [] : [{ kind: 'text', look: 'note', x: 0, y: 36, text: under } as const]),
    ...move(marked.items, 0, top),
    ...below.items,
  ];
  return { width, height: below.bottom, axis: drawn.axis, items };
}

/** A part's own key, which its boxes' paths begin with. */
const pathOf = ({ items }: Drawing): string => {
  const first = items.find((item) => item.kind === 'box' && item.path !== undefined);
  return (first?.kind === 'box' && first.path?.split('/')[0]) || '';
};

function notesBelow(
  notes: readonly PrintNote[],
  { width, y }: { width: number; y: number },
): { items: Item[]; bottom: number } {
  const items: Item[] = [];
  let bottom = y - 16;
  let line = y + 12;
  for (const { number, why } of notes) {
    items.push({ kind: 'mark', x: markRadius, y: line - 4, text: String(number), why });
    for (const text of wrapped(why, width - 24)) {
      items.push({ kind: 'text', look: 'note', x: 24, y: line, text });
      bottom = line + 6;
      line += 17;
    }
    line += 5;
  }
  return { items, bottom };
}

/** Lines of whole words that are no wider than `width`. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && textWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

const margin = 32;
const between = 44;
/** Width over height of a page. */
const landscape = 1.4;

interface Column {
  readonly figures: readonly Drawing[];
  readonly width: number;
  readonly height: number;
}

/** Figures in the network's order, down each column and then to the right, with columns as equal in height as they can be. */
function inColumns(figures: readonly Drawing[]): Pick<Sheet, 'width' | 'height' | 'items'> {
  const tallest = Math.max(...figures.map(({ height }) => height));
  const total = figures.reduce((sum, { height }) => sum + height + between, 0);
  const layouts = figures.map((_, index) => filled(figures, Math.max(tallest, total / (index + 1))));
  const sizes = layouts.map((columns) => ({
    columns,
    width: columns.reduce((sum, column) => sum + column.width + between, -between),
    height: Math.max(...columns.map((column) => column.height)),
  }));
  const strain = ({ width, height }: { width: number; height: number }) =>
    Math.abs(Math.log(width / height / landscape)) + Math.log(width * height);
  const best = sizes.reduce((least, next) => (strain(next) < strain(least) ? next : least));
  const items: Item[] = [];
  let x = margin;
  for (const column of best.columns) {
    let y = margin;
    for (const drawing of column.figures) {
      items.push(...move(drawing.items, x, y));
      y += drawing.height + between;
    }
    x += column.width + between;
  }
  return { items, width: Math.ceil(best.width + 2 * margin), height: Math.ceil(best.height + 2 * margin) };
}

/** Columns of at most this height, each as full as it can be. */
function filled(figures: readonly Drawing[], atMost: number): readonly Column[] {
  const columns: Column[] = [];
  for (const drawing of figures) {
    const last = columns.at(-1);
    const height = last ? last.height + between + drawing.height : Number.POSITIVE_INFINITY;
    if (last && height <= atMost) {
      columns[columns.length - 1] = {
        figures: [...last.figures, drawing],
        width: Math.max(last.width, drawing.width),
        height,
      };
    } else columns.push({ figures: [drawing], width: drawing.width, height: drawing.height });
  }
  return columns;
}

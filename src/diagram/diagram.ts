/** Draws a network as SVG: the overall schema (figures 9 and 15) and a figure for every distinct block. */

import { buildGraph } from '../graph/build-graph.ts';
import { formatShape, type Graph, type Node, type Shape } from '../graph/graph.ts';
import type { ConfiguredNetwork } from '../networks/networks.ts';
import type { Layer, Layers, Repeat } from '../networks/notation.ts';
import { box, type Drawing, figure, type Item, move, type Point, stack, variants } from './diagram-layout.ts';

const pageWidth = 1600;
const margin = 32;

/** The diagram as the text of an SVG file. */
export function drawDiagram(network: ConfiguredNetwork): string {
  const graph = buildGraph(network);
  const figures = [
    titled('Overall schema', schema(graph)),
    ...blockFigures(graph, network.layers),
    ...(network.auxiliary ? auxiliaryFigure(graph) : []),
  ];
  const { items, height } = arrange(figures);
  const size = formatShape(network.input);
  return svg({
    title: `${network.name}, ${size}`,
    description: `The figures of ${network.name}: its overall schema for an input of ${size}, then every distinct block with its branches.`,
    height,
    items,
  });
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

function schema(graph: Graph): Drawing {
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
    return stage([`${times}${nameOf(key)}`, ...detail(layer, network.classes)], shapeOf(graph, key));
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

/** A figure for every layer with branches or several boxes, with its input and output shapes. */
function blockFigures(graph: Graph, layers: Layers): Drawing[] {
  let input = graph.network.input as Shape;
  return Object.entries(layers).flatMap(([key, layer]) => {
    const before = input;
    const after = shapeOf(graph, key);
    input = after;
    if (layer.kind === 'repeat') return repeatFigures(graph, { key, layer, before });
    return composed[layer.kind]
      ? [titled(nameOf(key), figure(layer, { depth: before[2] }), fromTo(before, after))]
      : [];
  });
}

function repeatFigures(
  graph: Graph,
  { key, layer, before }: { key: string; layer: Repeat; before: Shape },
): Drawing[] {
  const outputOf = (index: number) => (index < 0 ? before : shapeOf(graph, `${key}/${index}`));
  const runs = variants(layer);
  return runs.map(({ block, from, to }) => {
    const shapes = fromTo(outputOf(from - 1), outputOf(to));
    const drawn = figure(block, { depth: outputOf(from - 1)[2] });
    if (runs.length === 1) {
      const times = layer.count > 1 ? `${layer.count} × ` : '';
      return titled(`${times}${nameOf(key)}`, drawn, shapes);
    }
    const which = from === to ? `block ${from}` : `blocks ${from} to ${to}`;
    return titled(nameOf(key), drawn, `${which} of ${layer.count}, ${shapes}`);
  });
}

const fromTo = (before: Shape, after: Shape): string =>
  formatShape(before) === formatShape(after)
    ? formatShape(after)
    : `${formatShape(before)} → ${formatShape(after)}`;

function auxiliaryFigure(graph: Graph): Drawing[] {
  const { auxiliary } = graph.network;
  if (!auxiliary) return [];
  const boxes = Object.values(auxiliary.layers).map((layer) => figure(layer));
  return [titled('Auxiliary classifier', stack(boxes), `training only, after ${nameOf(auxiliary.after)}`)];
}

function titled(title: string, drawing: Drawing, note?: string): Drawing {
  const top = note === undefined ? 34 : 54;
  const width = Math.max(drawing.width, title.length * 10.5, (note?.length ?? 0) * 9);
  const items: Item[] = [
    { kind: 'text', look: 'title', x: 0, y: 16, text: title },
    ...(note === undefined ? [] : [{ kind: 'text', look: 'note', x: 0, y: 36, text: note } as const]),
    ...move(drawing.items, 0, top),
  ];
  return { width, height: top + drawing.height, axis: drawing.axis, items };
}

/** Puts the schema in its own column and each block beside it, at the topmost and then leftmost free position. */
function arrange([first, ...blocks]: readonly Drawing[]): { items: Item[]; height: number } {
  const between = 48;
  const schemaDrawing = first as Drawing;
  const items = move(schemaDrawing.items, margin, margin);
  const start = margin + schemaDrawing.width + between;
  const end = Math.max(pageWidth - margin, start + Math.max(...blocks.map(({ width }) => width)));
  const placed: { x: number; right: number; bottom: number }[] = [];
  /** The y at which a block at x fits below everything above it. */
  const topAt = (x: number, width: number) => {
    const above = placed.filter((block) => block.x < x + width + between && x < block.right + between);
    return Math.max(margin, ...above.map(({ bottom }) => bottom + between));
  };
  for (const block of blocks) {
    const positions = [start, ...placed.map(({ right }) => right + between)]
      .filter((x) => x === start || x + block.width <= end)
      .map((x) => ({ x, y: topAt(x, block.width) }))
      .sort((a, b) => a.y - b.y || a.x - b.x);
    const { x, y } = positions[0] as { x: number; y: number };
    items.push(...move(block.items, x, y));
    placed.push({ x, right: x + block.width, bottom: y + block.height });
  }
  const bottoms = placed.map(({ bottom }) => bottom);
  return { items, height: Math.max(margin + schemaDrawing.height, ...bottoms) + margin };
}

/** Colours by role, light and dark. */
const style = `
  svg { color-scheme: light dark; --paper: #ffffff; --ink: #1f2933; --line: #66788a; --note: #52606d;
    --conv: #dcebfa; --convEdge: #3b7dbd; --pool: #fde8d4; --poolEdge: #c9742b; --join: #e4e7eb; --joinEdge: #7b8794;
    --act: #dff3e4; --actEdge: #3f9142; --stage: #ece6f8; --stageEdge: #7d5fb2; --plain: #ffffff; --plainEdge: #9aa5b1; }
  @media (prefers-color-scheme: dark) { svg { --paper: #14181d; --ink: #e6ebf0; --line: #9aa8b6; --note: #aab6c2;
    --conv: #17344f; --convEdge: #5b9bd8; --pool: #4a2d12; --poolEdge: #dd9150; --join: #2b333b; --joinEdge: #8b98a5;
    --act: #17391d; --actEdge: #63b267; --stage: #33264f; --stageEdge: #a98be0; --plain: #1c2229; --plainEdge: #76838f; } }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: var(--ink); }
  .inside { text-anchor: middle; }
  .title { font-size: 17px; font-weight: 600; }
  .note { fill: var(--note); }
  path { fill: none; stroke: var(--line); stroke-width: 1.3; }
  .paper { fill: var(--paper); }
${['conv', 'pool', 'join', 'act', 'stage', 'plain']
  .map((look) => `  .${look} { fill: var(--${look}); stroke: var(--${look}Edge); }`)
  .join('\n')}
`;

function svg({
  title,
  description,
  height,
  items,
}: {
  title: string;
  description: string;
  height: number;
  items: readonly Item[];
}): string {
  const rights = items.map((item) => (item.kind === 'box' ? item.x + item.width : 0));
  const width = Math.ceil(Math.max(pageWidth, ...rights.map((right) => right + margin)));
  const down = Math.ceil(height);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${down}" viewBox="0 0 ${width} ${down}" role="img">
<title>${escapeText(title)}</title>
<desc>${escapeText(description)}</desc>
<style>${style}</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0.5 0.5 L7.5 4 L0.5 7.5 Z" style="fill: var(--line); stroke: none"/></marker></defs>
<rect class="paper" width="${width}" height="${down}"/>
${items.map(element).join('\n')}
</svg>
`;
}

const round = (value: number): number => Math.round(value * 10) / 10;

function element(item: Item): string {
  switch (item.kind) {
    case 'box': {
      const { x, y, width, height, lines, look } = item;
      const rect = `<rect class="${look}" x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="5"/>`;
      const first = y + height / 2 - ((lines.length - 1) * 16) / 2 + 4.5;
      const texts = lines.map(
        (line, index) =>
          `<text class="inside" x="${round(x + width / 2)}" y="${round(first + index * 16)}">${escapeText(line)}</text>`,
      );
      return rect + texts.join('');
    }
    case 'circle':
      return `<circle class="plain" cx="${round(item.x)}" cy="${round(item.y)}" r="${item.radius}"/><text class="inside" x="${round(item.x)}" y="${round(item.y + 4.5)}">${escapeText(item.text)}</text>`;
    case 'path': {
      const points = item.points.map(
        ([x, y]: Point, index) => `${index === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`,
      );
      return `<path d="${points.join(' ')}"${item.arrow ? ' marker-end="url(#head)"' : ''}/>`;
    }
    case 'text':
      return `<text class="${item.look}" x="${round(item.x)}" y="${round(item.y)}">${escapeText(item.text)}</text>`;
  }
}

const escapeText = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

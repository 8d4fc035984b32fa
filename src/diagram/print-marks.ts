/** Where a drawing departs from the paper's print: numbered marks at its boxes, and their notes. */
import type { ConfiguredNetwork } from '../networks/networks.ts';
import { knownNetworks } from '../networks/networks.ts';
import { blockAt, type Layer, type Printed } from '../networks/notation.ts';
import type { Drawing, Item } from './diagram-layout.ts';

/** A departure from print. */
export interface PrintNote {
  /** As at its box: 1, 2, … */
  readonly number: number;
  readonly why: string;
  /** The layer that it is about, inside the part; `''` for all of it. */
  readonly at: string;
}

/** What is known of how a part is printed. `key` is that of the part, `''` for the network as a whole. */
export interface PrintedPart {
  /** `figure 4`, `after figure 4` where options changed the part; undefined if no figure shows it. */
  readonly figure: string | undefined;
  readonly notes: readonly PrintNote[];
}

export function printedPart(network: ConfiguredNetwork, key: string): PrintedPart {
  const { figure, departures = {} }: Printed = network.printed?.[key] ?? {};
  return {
    figure: figure === undefined || isAsDrawn(network, key) ? figure : `after ${figure}`,
    notes: Object.entries(departures).map(([at, why], index) => ({ number: index + 1, why, at })),
  };
}

/** Whether the options left a part as its figure has it; how often a block stands in a row is a matter of the whole network. */
function isAsDrawn(network: ConfiguredNetwork, key: string): boolean {
  const drawn = knownNetworks().find(({ name }) => name === network.name);
  if (!drawn) return true;
  if (key === '')
    return (
      JSON.stringify([drawn.layers, drawn.input, drawn.classes]) ===
      JSON.stringify([network.layers, network.input, network.classes])
    );
  const [before, after] =
    key === 'auxiliary'
      ? [drawn.auxiliary?.layers, network.auxiliary?.layers]
      : [drawn.layers[key], network.layers[key]].map((layer) => layer && blocksOf(layer));
  return JSON.stringify(before) === JSON.stringify(after);
}

const blocksOf = (layer: Layer): Layer | readonly Layer[] =>
  layer.kind === 'repeat' ? [blockAt(layer, 0), layer.block, blockAt(layer, layer.count - 1)] : layer;

/** The drawing with a mark at the first box of every layer that a note is about; `path` is the part's name in its boxes' paths. */
export function withMarks(
  drawing: Drawing,
  { path, notes }: { path: string; notes: readonly PrintNote[] },
): Drawing {
  const marks = notes.flatMap(({ at, number, why }): Item[] => {
    if (at === '') return [];
    const layer = `${path}/${at}`;
    const found = drawing.items.find(
      (item) => item.kind === 'box' && (item.path === layer || item.path?.startsWith(`${layer}/`)),
    );
    if (found?.kind !== 'box') return [];
    return [{ kind: 'mark', x: found.x + found.width, y: found.y, text: String(number), why }];
  });
  return { ...drawing, items: [...drawing.items, ...marks] };
}

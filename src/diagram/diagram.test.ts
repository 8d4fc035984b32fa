import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import { configure, findNetwork, type NetworkOptions, networks } from '../networks/networks.ts';
import {
  conv,
  depthwise,
  fullyConnected,
  globalAvgPool,
  type Layer,
  type Network,
  repeat,
  sequence,
  sum,
} from '../networks/notation.ts';
import { diagramSheet, drawDiagram } from './diagram.ts';
import { figure, variants } from './diagram-layout.ts';

const texts = (svg: string): string[] =>
  [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text as string);

/** The text of every convolution's box, its lines joined: `3×3 Conv 96 V`. */
const convBoxes = (svg: string): string[] =>
  [...svg.matchAll(/<rect class="conv"[^>]*\/>((?:<text[^>]*>[^<]*<\/text>)*)/g)].map(([, inside]) =>
    texts(inside as string).join(' '),
  );

/** The expected texts of a layer's boxes, from its definition; `Linear` stands for a residual's last convolution. */
function convsOf(layer: Layer): string[] {
  switch (layer.kind) {
    case 'conv':
      return [
        `${layer.window.replace('x', '×')} Conv ${layer.filters}${layer.marks ? ` ${layer.marks}` : ''}`,
      ];
    case 'filterConcat':
      return layer.branches.flat().flatMap(convsOf);
    case 'residual':
      return [...layer.branches.flat().flatMap(convsOf), 'Linear'];
    case 'sequence':
      return layer.layers.flatMap(convsOf);
    case 'repeat':
      return variants(layer).flatMap(({ block }) => convsOf(block));
    default:
      return [];
  }
}

/** Throws unless every tag is closed in the order in which it was opened. */
function checkNesting(svg: string): void {
  const open: string[] = [];
  for (const [, closing, tag, selfClosing] of svg.matchAll(/<(\/?)([a-zA-Z]+)[^<>]*?(\/?)>/g)) {
    if (closing) expect(open.pop()).toBe(tag);
    else if (!selfClosing) open.push(tag as string);
  }
  expect(open).toEqual([]);
}

describe('drawDiagram', () => {
  it.each(networks.map((network) => [network.name, network] as const))(
    'draws %s as well-formed SVG, light and dark',
    (_, network) => {
      const svg = drawDiagram(configure(network, { auxiliary: true }));
      checkNesting(svg);
      expect(svg).toContain('prefers-color-scheme: dark');
      expect(svg).toMatch(/<title>.+<\/title>\n<desc>.+<\/desc>/);
      expect(texts(svg)).toContain('Auxiliary classifier');
    },
  );

  it.each(networks.map((network) => [network.name, network] as const))(
    'draws every convolution of %s with its window, filters and marks',
    (_, network) => {
      const configured = configure(network);
      // A convolution between blocks is a box of the overall schema.
      const expected = Object.values(configured.layers)
        .filter((layer) => layer.kind !== 'conv')
        .flatMap(convsOf);
      const drawn = convBoxes(drawDiagram(configured));
      const linear = /^1×1 Conv \d+ Linear$/;
      expect(drawn.map((text) => (linear.test(text) ? 'Linear' : text)).sort()).toEqual(expected.sort());

      const depths = buildGraph(configured)
        .nodes.filter(({ op, path }) => op === 'conv' && path.endsWith('/linear'))
        .map(({ shape }) => `1×1 Conv ${shape[2]} Linear`);
      expect(new Set(drawn.filter((text) => linear.test(text)))).toEqual(new Set(depths));
    },
  );

  it('shows the marks of a convolution between blocks', () => {
    const released: Network = findNetwork('inception-resnet-v2-released');
    const configured = configure({
      ...released,
      layers: { ...released.layers, conv: conv('1x1', 512, 'V') },
    });
    expect(texts(drawDiagram(configured))).toContain('1×1, 512, V');
  });

  it('draws every block of a repeat inside a figure', () => {
    const { items } = figure(sequence(conv('1x1', 8), repeat(3, conv('3x3', 16), { last: conv('3x3', 24) })));
    const lines = items.flatMap((item) => (item.kind === 'box' ? [item.lines[1]] : []));
    expect(lines).toEqual(['8', '16', '16', '24']);
  });

  it('shows the boxes of figure 4 with their filters', () => {
    const shown = texts(drawDiagram(configure(findNetwork('inception-v4'))));
    for (const text of ['4 × Inception-A', '3×3 AvgPool', '1×1 Conv', '96', 'Filter concat', '35×35×384'])
      expect(shown).toContain(text);
  });

  it('reflects the options', () => {
    const shown = texts(
      drawDiagram(
        configure(findNetwork('inception-resnet-v2'), {
          blocks: { A: 3 },
          residualScale: 0.3,
          inputSize: 139,
        }),
      ),
    );
    expect(shown).toEqual(expect.arrayContaining(['3 × Inception-ResNet-A', '× 0.3', '15×15×384']));
    expect(shown).not.toContain('× 0.17');
  });

  it('draws neither sum nor scale without shortcuts, and batch normalisation on the sums that have it', () => {
    const drawn = (options: NetworkOptions) =>
      texts(drawDiagram(configure(findNetwork('inception-resnet-v2'), options)));
    expect(drawn({})).toEqual(expect.arrayContaining(['+', '× 0.17']));
    expect(drawn({})).not.toContain('Batch norm');
    const without = drawn({ shortcuts: false });
    expect([without.includes('+'), without.includes('× 0.17')]).toEqual([false, false]);
    expect(drawn({ sumNorm: 'last' }).filter((text) => text === 'Batch norm')).toHaveLength(1);
  });

  it('says which figure a part is, and numbers what departs from print, with its reason', () => {
    const shown = texts(drawDiagram(configure(findNetwork('inception-v4')), { part: 'inceptionB' }));
    expect(shown).toContain('figure 5 · 17×17×1024');
    expect(shown.join(' ')).toContain('printed as a second 1x7; 7x1 is meant');
    const changed = texts(
      drawDiagram(configure(findNetwork('inception-v4'), { width: 0.5 }), { part: 'inceptionB' }),
    );
    expect(changed).toContain('after figure 5 · 17×17×512');
  });

  it.each(networks.map((network) => [network.name, network] as const))(
    'marks every departure of %s once at its box or heading, and once at its reason',
    (_, network) => {
      const { items } = diagramSheet(configure(network, { auxiliary: true }));
      const marks = items.flatMap((item) => (item.kind === 'mark' ? [`${item.text} ${item.why}`] : []));
      const notes = Object.entries(network.printed ?? {}).flatMap(([key, { departures = {} }]) => {
        const layer = network.layers[key];
        const isBox = key !== '' && key !== 'auxiliary' && layer?.kind === 'conv';
        const drawings = layer?.kind === 'repeat' ? variants(layer).length : isBox ? 0 : 1;
        return Object.values(departures).flatMap((why, index) =>
          Array.from({ length: 2 * drawings }, () => `${index + 1} ${why}`),
        );
      });
      expect(marks.sort()).toEqual(notes.sort());
    },
  );

  it('draws upwards as the paper does: the input is at the bottom', () => {
    const boxes = (direction: 'up' | 'down') =>
      diagramSheet(configure(findNetwork('inception-v4')), { part: 'inceptionA', direction }).items.flatMap(
        (item) => (item.kind === 'box' ? [{ y: item.y, text: item.lines[0] }] : []),
      );
    const order = (direction: 'up' | 'down') => {
      const sorted = boxes(direction).sort((a, b) => a.y - b.y);
      return [sorted[0]?.text, sorted.at(-1)?.text];
    };
    expect([order('down'), order('up')]).toEqual([
      ['Input', 'Filter concat'],
      ['Filter concat', 'Input'],
    ]);
  });

  it('writes shapes and costs in the boxes', () => {
    const shown = texts(
      drawDiagram(configure(findNetwork('inception-v4')), { part: 'inceptionA', costs: true }),
    );
    expect(shown).toEqual(expect.arrayContaining(['35×35×96', '37.1 k · 45.2 M']));
  });

  it('refuses a part without a figure, with those that have one', () => {
    expect(() => drawDiagram(configure(findNetwork('inception-v4')), { part: 'logits' })).toThrow(
      "part: inception-v4 has no figure of 'logits'; expected stem, inceptionA, reductionA, inceptionB, reductionB, inceptionC",
    );
  });

  it('has the figures of a network in its order, down and then to the right', () => {
    const { items } = diagramSheet(configure(findNetwork('inception-v4')));
    const titles = items.flatMap((item) => (item.kind === 'text' && item.look === 'title' ? [item] : []));
    const sorted = [...titles].sort((a, b) => a.x - b.x || a.y - b.y);
    expect(sorted.map(({ text }) => text)).toEqual([
      'Overall schema',
      'Stem',
      '4 × Inception-A',
      'Reduction-A',
      '7 × Inception-B',
      'Reduction-B',
      '3 × Inception-C',
    ]);
  });

  it('draws the distinct blocks of a repeat separately', () => {
    const shown = texts(drawDiagram(configure(findNetwork('inception-resnet-v2-released'))));
    expect(shown).toContain('figure 19 · blocks 0 to 8 of 10, 8×8×2080');
    expect(shown).toContain('figure 19 · block 9 of 10, 8×8×2080');
  });

  it.each(networks.map((network) => [network.name, network] as const))(
    'draws no overlapping boxes in %s',
    (_, network) => {
      const boxes = [
        ...drawDiagram(configure(network, { auxiliary: true })).matchAll(
          /<rect class="(?!paper)[a-z]+" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/g,
        ),
      ].map(([, ...numbers]) => numbers.map(Number) as [number, number, number, number]);
      expect(boxes.length).toBeGreaterThan(50);
      const overlapping = boxes.flatMap(([x, y, width, height], index) =>
        boxes
          .slice(0, index)
          .filter(
            (other) =>
              x < other[0] + other[2] &&
              other[0] < x + width &&
              y < other[1] + other[3] &&
              other[1] < y + height,
          ),
      );
      expect(overlapping).toEqual([]);
    },
  );

  it('keeps every text inside its box', () => {
    const svg = drawDiagram(configure(findNetwork('inception-v3')));
    const boxes = [
      ...svg.matchAll(
        /<rect class="(?:conv|pool|join|act|stage|plain)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*\/>((?:<text[^>]*>[^<]*<\/text>)*)/g,
      ),
    ];
    expect(boxes.length).toBeGreaterThan(50);
    for (const [, , width, inside] of boxes) {
      for (const text of texts(inside as string)) expect(text.length * 7).toBeLessThan(Number(width));
    }
  });
});

describe('the figure of a sum', () => {
  const network: Network = {
    name: 'sums',
    about: 'for a test',
    input: [16, 16, 3],
    classes: 2,
    layers: {
      stem: conv('3x3', 16, 'stride 2'),
      block: sum([], [depthwise('3x3', 'Linear', { norm: false }), conv('3x3', 16, 'Linear', { groups: 4 })]),
      averagePooling: globalAvgPool(),
      logits: fullyConnected(),
    },
  };

  it('describes its convolutions and draws the shortcut to the sum', () => {
    const svg = drawDiagram(configure(network));
    const written = texts(svg);
    expect(written.slice(written.lastIndexOf('Block'))).toEqual([
      'Block',
      '8×8×16',
      'Input',
      '8×8×16',
      '3×3 Depthwise',
      'Linear',
      'no batch norm',
      '3×3 Conv',
      '16 Linear',
      '4 groups',
      'Sum',
      'ReLU',
    ]);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });
});

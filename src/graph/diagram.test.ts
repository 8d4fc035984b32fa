import { describe, expect, it } from 'vitest';
import { configure, findNetwork, networks } from '../networks/networks.ts';
import { drawDiagram } from './diagram.ts';

const texts = (svg: string): string[] =>
  [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text as string);

describe('drawDiagram', () => {
  it.each(networks.map((network) => [network.name, network] as const))(
    'draws %s as well-formed SVG, light and dark',
    (_, network) => {
      const svg = drawDiagram(configure(network, { auxiliary: true }));
      const open = [...svg.matchAll(/<([a-zA-Z]+)(?:\s[^<>]*[^/])?>/g)].map(([, tag]) => tag);
      const close = [...svg.matchAll(/<\/([a-zA-Z]+)>/g)].map(([, tag]) => tag);
      expect(open.sort()).toEqual(close.sort());
      expect(svg).toContain('prefers-color-scheme: dark');
      expect(svg).toMatch(/<title>.+<\/title>\n<desc>.+<\/desc>/);
      expect(texts(svg)).toContain('Auxiliary classifier');
    },
  );

  it('shows the boxes of figure 4 with their filters', () => {
    const shown = texts(drawDiagram(configure(findNetwork('inception-v4'))));
    for (const text of ['4 × Inception-A', '3×3 AvgPool', '1×1 Conv', '96', 'Filter concat', '35×35×384'])
      expect(shown).toContain(text);
  });

  it('follows the options', () => {
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

  it('draws the blocks of a repetition that differ apart', () => {
    const shown = texts(drawDiagram(configure(findNetwork('inception-resnet-v2-released'))));
    expect(shown).toContain('blocks 1 to 9 of 10, 8×8×2080');
    expect(shown).toContain('block 10 of 10, 8×8×2080');
  });

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

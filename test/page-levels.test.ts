/** The views of the browser application for every path of a network, for built-in and custom networks. */
import { describe, expect, it } from 'vitest';
import { network as custom } from '../examples/a-network-of-your-own.ts';
import resnet50 from '../examples/resnet-50.ts';
import xception from '../examples/xception.ts';
import { buildGraph } from '../src/graph/build-graph.ts';
import { configure, networks } from '../src/networks/networks.ts';
import { levelAt } from '../web/src/networks/level.ts';

describe.each([...networks, custom, resnet50, xception].map((network) => [network.name, network] as const))(
  'the page of %s',
  (_, network) => {
    const graph = buildGraph(configure(network, { auxiliary: network.auxiliary !== undefined }));
    const prefixesOf = (path: string): string[] => {
      const names = path.split('/');
      return names.map((_, index) => names.slice(0, index + 1).join('/'));
    };
    const paths = new Set([
      '',
      ...graph.nodes.filter(({ op }) => op !== 'input').flatMap(({ path }) => prefixesOf(path)),
    ]);

    it('draws every block, branch and layer, with finite positions and complete texts', () => {
      for (const path of paths) {
        const { drawing, steps, input, output } = levelAt(graph, path);
        expect(drawing.items.length, path).toBeGreaterThan(0);
        const text = JSON.stringify({ drawing, steps, input, output });
        // JSON writes NaN and Infinity as null.
        expect(text, path).not.toMatch(/null|undefined|NaN|Infinity/);
        expect(
          steps.every(({ title }) => title !== ''),
          path,
        ).toBe(true);
      }
    });

    it('opens every layer at its path', () => {
      for (const { path, op } of graph.nodes) {
        if (op === 'input') continue;
        expect(levelAt(graph, path).path).toBe(path);
      }
    });
  },
);

import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../../graph/build-graph.ts';
import { freeze } from '../../../graph/parts.ts';
import { configure, findNetwork, networks } from '../../../networks/networks.ts';
import { layOut } from '../../layout.ts';
import { cutIntoBuckets, inOrderOfCompletion, type Range, usualSizes } from './buckets.ts';

const layoutOf = (name: string, options = {}) =>
  layOut(buildGraph(configure(findNetwork(name), { auxiliary: true, ...options })));

const mebibytes = ([from, to]: Range) => ((to - from) * 4) / 2 ** 20;

const covered = (buckets: readonly Range[]) =>
  buckets.toSorted(([a], [b]) => a - b).reduce((end, [from, to]) => (from === end && to > from ? to : -1), 0);

describe('cutting the gradient into buckets', () => {
  const sizes = [
    undefined,
    { bytes: 4, endBytes: 4 },
    { bytes: 1e5, endBytes: 1e4 },
    { bytes: 1e9, endBytes: 1e9 },
  ];
  it.each(networks.map(({ name }) => name))(
    'covers every element of %s once, by whole placements',
    (name) => {
      for (const width of [1, 0.125]) {
        const layout = layoutOf(name, { width });
        const starts = new Set(layout.trainable.map(({ offset }) => offset));
        for (const size of sizes) {
          const buckets = cutIntoBuckets(layout, size);
          expect(covered(buckets)).toBe(layout.trainableLength);
          expect(buckets.filter(([from]) => !starts.has(from))).toEqual([]);
        }
      }
    },
  );

  it('covers what is left of a network with frozen parts', () => {
    const graph = buildGraph(configure(findNetwork('inception-v3'), { classes: 5 }));
    for (const last of ['stem', 'inceptionB', 'all']) {
      const layout = layOut(freeze(graph, last));
      expect(covered(cutIntoBuckets(layout))).toBe(layout.trainableLength);
    }
  });

  it('makes the first and the last of the convolutions small, and the others as large as PyTorch’s', () => {
    const layout = layoutOf('inception-resnet-v2-released', { auxiliary: false });
    const [first, ...rest] = cutIntoBuckets(layout);
    // The weights of the classifier, which are one placement.
    expect(first).toEqual([0, layout.convolutions[0]]);
    const convolutions = rest.slice(0, -1);
    for (const bucket of convolutions.slice(0, -2)) {
      expect(mebibytes(bucket)).toBeGreaterThanOrEqual(25);
      expect(mebibytes(bucket)).toBeLessThan(32);
    }
    expect(mebibytes(convolutions.at(-1) as Range)).toBeLessThan(2.5);
    // The biases and what else is small.
    expect(rest.at(-1)?.[1]).toBe(layout.trainableLength);
  });

  it('gives a small network several buckets, too', () => {
    const layout = layoutOf('inception-v4', { width: 0.25, classes: 10 });
    expect(usualSizes(layout).bytes).toBeLessThan(2 ** 21);
    expect(cutIntoBuckets(layout).length).toBeGreaterThan(6);
  });

  it('orders them by the last gradient that each receives', () => {
    const buckets: Range[] = [
      [0, 10],
      [10, 30],
      [30, 40],
      [40, 50],
    ];
    expect(inOrderOfCompletion(buckets, [0, 20, 30, 10, 5])).toEqual([
      [40, 50],
      [30, 40],
      [10, 30],
      [0, 10],
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import { drawPanel, rangeAround, ticksBetween } from './line-chart.ts';

describe('ticksBetween', () => {
  it('gives multiples of 1, 2 or 5 times a power of ten', () => {
    expect(ticksBetween(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticksBetween(0, 0.3, 3)).toEqual([0, 0.1, 0.2, 0.3]);
    expect(ticksBetween(0.4, 2.7, 5)).toEqual([0.5, 1, 1.5, 2, 2.5]);
    expect(ticksBetween(0, 24, 5)).toEqual([0, 5, 10, 15, 20]);
    expect(ticksBetween(0, 100, 5)).toEqual([0, 20, 40, 60, 80, 100]);
  });
});

describe('rangeAround', () => {
  it('ends at ticks around all finite values', () => {
    expect(rangeAround([0.42, 2.31, Number.NaN])).toEqual([0, 2.5]);
    expect(rangeAround([3, 3])).toEqual([2.4, 3.6]);
    expect(rangeAround([Number.POSITIVE_INFINITY])).toEqual([0, 1]);
  });
});

describe('drawPanel', () => {
  it('interrupts a line at a non-finite value', () => {
    const svg = drawPanel(
      {
        xName: 'x',
        yName: 'a < b',
        xRange: [0, 4],
        yRange: [0, 10],
        lines: [
          {
            name: 'line',
            colour: '#000000',
            dots: true,
            points: [
              [0, 0],
              [1, 10],
              [2, Number.NaN],
              [4, 5],
            ],
          },
        ],
      },
      { left: 100, top: 50, width: 400, height: 200 },
    );
    expect(svg).toContain('d="M100 250L200 50M500 150"');
    expect(svg.match(/<circle/g)).toHaveLength(3);
    expect(svg).toContain('a &lt; b');
  });
});

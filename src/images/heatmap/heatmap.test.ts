import { describe, expect, it } from 'vitest';
import type { Image } from '../image.ts';
import { inferno } from './colour-map.ts';
import { overlay, valueAt } from './heatmap.ts';

describe('inferno', () => {
  it('has the colours of matplotlib 3.11.2, to two units', () => {
    const published: [index: number, colour: readonly number[]][] = [
      [0, [0, 0, 4]],
      [50, [64, 10, 103]],
      [100, [144, 37, 104]],
      [150, [217, 77, 61]],
      [200, [251, 157, 7]],
      [255, [252, 255, 164]],
    ];
    for (const [index, colour] of published)
      inferno(index / 255).forEach((value, channel) => {
        expect(Math.abs(value - (colour[channel] as number)), `${index}`).toBeLessThan(2);
      });
    expect(inferno(-1)).toEqual(inferno(0));
    expect(inferno(2)).toEqual(inferno(1));
  });
});

describe('valueAt', () => {
  it('interpolates between the centres of cells, and is constant beyond them', () => {
    const map = { height: 2, width: 2, values: new Float32Array([0, 1, 2, 3]) };
    expect(valueAt(map, 0.5, 0.5)).toBe(0);
    expect(valueAt(map, 1, 1)).toBe(1.5);
    expect(valueAt(map, 0, 2)).toBe(1);
    expect(valueAt({ height: 1, width: 1, values: new Float32Array([7]) }, 0.3, 0.9)).toBe(7);
  });
});

describe('overlay', () => {
  const grey: Image = { height: 1, width: 4, channels: 1, data: new Uint8Array([100, 100, 100, 100]) };
  const map = { height: 1, width: 2, values: new Float32Array([0, 4]) };
  const box = { top: 0, left: 1, height: 1, width: 2 };

  it('colours what the network sees and darkens the rest', () => {
    const { data, channels } = overlay(grey, { map, box, top: 4 });
    expect(channels).toBe(3);
    const pixels = [0, 1, 2, 3].map((x) => [...data.subarray(x * 3, x * 3 + 3)]);
    expect(pixels[0]).toEqual([35, 35, 35]);
    expect(pixels[3]).toEqual([35, 35, 35]);
    expect(pixels[1]).toEqual([50, 50, 52]);
    expect(pixels[2]).toEqual([176, 178, 132]);
  });

  it('is dark all over where the map is zero', () => {
    const zero = { ...map, values: new Float32Array(2) };
    expect([...overlay(grey, { map: zero, box, top: 0 }).data.subarray(3, 9)]).toEqual([
      50, 50, 52, 50, 50, 52,
    ]);
  });
});

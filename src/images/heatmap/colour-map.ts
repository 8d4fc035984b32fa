/**
 * Inferno, matplotlib's perceptually uniform colour map (van der Walt and Smith, CC0): equal steps of a value are equal steps of
 * lightness, also in grey print and for colour-blind eyes. Pure; also for browsers.
 */

/** Every eighth of its 256 colours, which interpolation reaches to two units of 255. */
const anchors =
  '000004 040312 0b0724 150b37 210c4a 2f0a5b 3d0965 4a0c6b 57106e 64156e 71196e 7d1e6d 8a226a 972766 a32c61 b0315b bc3754 c63d4d d04545 da4e3c e35933 eb6429 f1711f f67e14 f98c0a fb9b06 fcaa0f fbba1f f9c932 f5d949 f2e865 f3f586 fcffa4'
    .split(' ')
    .map((colour) => [0, 2, 4].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)));

/** Red, green and blue, 0–255, of a value in 0–1; values outside are those of the ends. */
export function inferno(value: number): readonly [red: number, green: number, blue: number] {
  const place = Math.min(Math.max(value, 0), 1) * (anchors.length - 1);
  const index = Math.min(Math.floor(place), anchors.length - 2);
  const [low, high] = [anchors[index] as number[], anchors[index + 1] as number[]];
  const channel = (at: number) =>
    (low[at] as number) + ((high[at] as number) - (low[at] as number)) * (place - index);
  return [channel(0), channel(1), channel(2)];
}

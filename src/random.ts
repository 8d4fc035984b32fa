/**
 * Random numbers that depend on what they are used for, not on when they are drawn: image 17 of epoch 3 is augmented the same
 * way whatever batch it is in and however many batches are prepared ahead, so that a resumed training run is reproducible.
 */

/** Uniform numbers in [0, 1). */
export type Random = () => number;

/** A stream for the given integers (seed, epoch, image, …); equal keys give equal streams. */
export function randomFor(...keys: readonly number[]): Random {
  let state = 0x9e3779b9;
  for (const key of keys) state = mix((state ^ Math.imul(key | 0, 0x85ebca6b)) + 0x6d2b79f5);
  return () => {
    // mulberry32: one addition and one mix per number.
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** murmur3's finaliser: every input bit affects every output bit. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export const uniform = (random: Random, low: number, high: number): number => low + (high - low) * random();

/** Fisher–Yates shuffle of 0 … length − 1. */
export function permutation(length: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const previous = order[last] as number;
    order[last] = order[other] as number;
    order[other] = previous;
  }
  return order;
}

/** The weights and images of the fixtures, as test/fixtures/prng.md defines them: bit-exact float32 from a name. */

export type GoldenRole =
  | 'conv_weight'
  | 'linear_weight'
  | 'bn_weight'
  | 'bn_var'
  | 'bn_bias'
  | 'bn_mean'
  | 'conv_bias'
  | 'linear_bias';

export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Unsigned 32-bit numbers of mulberry32, seeded by the name. */
export function stream(name: string): () => number {
  let state = fnv1a32(name);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** `count` values of a float64 function of u in [0, 1), each rounded once to float32. */
function fill(name: string, count: number, value: (u: number) => number): Float32Array {
  const next = stream(name);
  const values = new Float32Array(count);
  for (let index = 0; index < count; index++) values[index] = value((next() >>> 8) / 2 ** 24);
  return values;
}

export interface GoldenTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: GoldenRole;
  readonly fan_in?: number;
}

const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** The values of a tensor of params.json, in C order of its shape. */
export function goldenTensor({ name, shape, role, fan_in = Number.NaN }: GoldenTensor): Float32Array {
  const scaled = (gain: number) => {
    const bound = Math.sqrt(3 / fan_in) * gain;
    return fill(name, count(shape), (u) => (u - 0.5) * 2 * bound);
  };
  if (role === 'conv_weight') return scaled(Math.SQRT2);
  if (role === 'linear_weight') return scaled(0.5);
  if (role === 'bn_weight' || role === 'bn_var') return fill(name, count(shape), (u) => 0.8 + 0.4 * u);
  return fill(name, count(shape), (u) => -0.1 + 0.2 * u);
}

/** Images of [-1, 1], [count, 3, side, side]. */
export const goldenImages = (side = 299, count = 2): Float32Array =>
  fill('input', count * 3 * side * side, (u) => 2 * u - 1);

/** r / sqrt(n) of a stage's projection, [n values in C order]. */
export const goldenProjection = (stage: string, length: number): Float32Array =>
  fill(`proj:${stage}`, length, (u) => (2 * u - 1) / Math.sqrt(length));

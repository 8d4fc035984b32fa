/** Float16 by its 16 bits, which JavaScript has no type for before Node.js 24. Pure; also for browsers. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The 16 bits of a float32's nearest float16, ties to even; below the smallest subnormal it is zero. */
export function float16Bits(value: number): number {
  float[0] = value;
  const pattern = bits[0] as number;
  const sign = (pattern >>> 16) & 0x8000;
  const exponent = ((pattern >>> 23) & 0xff) - 127;
  const mantissa = pattern & 0x7fffff;
  if (exponent === 128) return sign | 0x7c00 | (mantissa === 0 ? 0 : 0x200);
  if (exponent >= -14) {
    // A carry out of the mantissa increments the exponent, up to infinity.
    const rounded = (((exponent + 15) << 23) | mantissa) + 0xfff + ((mantissa >>> 13) & 1);
    return sign | Math.min(rounded >>> 13, 0x7c00);
  }
  if (exponent < -25) return sign;
  const shift = -1 - exponent;
  const full = mantissa | 0x800000;
  const half = 1 << (shift - 1);
  return sign | ((full + half - 1 + ((full >>> shift) & 1)) >>> shift);
}

/** The value of a float16's 16 bits. */
export function float16Value(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

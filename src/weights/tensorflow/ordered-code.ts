/**
 * Keys whose order is that of the values that they encode: tensorflow/core/lib/strings/ordered_code.cc, as used for slices of
 * tensors by EncodeTensorNameSlice in tensorflow/core/util/saved_tensor_slice_util.cc.
 */

export interface TensorSlice {
  readonly name: string;
  /** Per dimension; an undefined length means all of it. */
  readonly extents: readonly { readonly start: number; readonly length: number | undefined }[];
}

export const sliceKey = ({ name, extents }: TensorSlice): Uint8Array =>
  Uint8Array.from([
    ...encodeNumber(0), // sorts slices before names in other tables
    ...encodeText(name),
    ...encodeNumber(extents.length),
    ...extents.flatMap(({ start, length }) => [...encodeSigned(start), ...encodeSigned(length ?? -1)]),
  ]);

/** The number of bytes, then the bytes without leading zeros. */
function encodeNumber(value: number): number[] {
  const bytes = value === 0 ? [] : bigEndian(BigInt(value), Math.ceil(value.toString(16).length / 2));
  return [bytes.length, ...bytes];
}

/** 0 and 255 are escaped, because 0 1 terminates the string. */
const encodeText = (text: string): number[] => [
  ...[...new TextEncoder().encode(text)].flatMap((byte) => {
    if (byte === 0) return [0, 0xff];
    return byte === 0xff ? [0xff, 0] : [byte];
  }),
  0,
  1,
];

/** As many leading ones as there are bytes, inverted for negative numbers; then the number in the remaining bits. */
function encodeSigned(value: number): number[] {
  const magnitude = BigInt(value < 0 ? -value - 1 : value);
  let length = 1;
  while (magnitude >= 1n << BigInt(7 * length - 1)) length++;
  const header = ((1n << BigInt(length)) - 1n) << BigInt(7 * length);
  return bigEndian(BigInt.asUintN(8 * length, BigInt(value)) ^ header, length);
}

const bigEndian = (value: bigint, length: number): number[] =>
  Array.from({ length }, (_, index) => Number((value >> BigInt(8 * (length - 1 - index))) & 0xffn));

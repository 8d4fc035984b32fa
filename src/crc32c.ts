/** CRC-32C (Castagnoli), eight bytes per step: checkpoints and record files are large, and zlib only implements the other CRC-32. */

const polynomial = 0x82f63b78;

/** `tables[step]` is the effect of a byte followed by `step` more bytes. */
const tables: readonly Uint32Array[] = makeTables();

function makeTables(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++)
      remainder = remainder & 1 ? (remainder >>> 1) ^ polynomial : remainder >>> 1;
    return remainder;
  });
  const result = [first];
  for (let step = 1; step < 8; step++) {
    const previous = result[step - 1] as Uint32Array;
    result.push(previous.map((value) => (value >>> 8) ^ (first[value & 0xff] as number)));
  }
  return result;
}

/** The checksum of all bytes; with the checksum of preceding bytes as `start`, of both together. */
export function crc32c(bytes: Uint8Array, start = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let remainder = ~start;
  let position = 0;
  for (; position + 8 <= bytes.length; position += 8) {
    const low = view.getUint32(position, true) ^ remainder;
    const high = view.getUint32(position + 4, true);
    remainder =
      (t7[low & 0xff] as number) ^
      (t6[(low >>> 8) & 0xff] as number) ^
      (t5[(low >>> 16) & 0xff] as number) ^
      (t4[low >>> 24] as number) ^
      (t3[high & 0xff] as number) ^
      (t2[(high >>> 8) & 0xff] as number) ^
      (t1[(high >>> 16) & 0xff] as number) ^
      (t0[high >>> 24] as number);
  }
  for (; position < bytes.length; position++) {
    remainder = (remainder >>> 8) ^ (t0[(remainder ^ (bytes[position] as number)) & 0xff] as number);
  }
  return ~remainder >>> 0;
}

/** As stored by LevelDB and TensorFlow: rotated and shifted, because the checksum of data that contain checksums is weak. */
export const maskedCrc32c = (bytes: Uint8Array): number => {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
};

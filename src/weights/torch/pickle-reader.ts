/** Reads numbers and strings from a pickle. Errors are WeightsErrors that do not name the file. */
import { WeightsError } from '../tensor-file.ts';

/** Limit of an integer. The longest that torch writes, its magic number, has 10 bytes. */
const maxIntegerBytes = 64;
const maxNameBytes = 512;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class PickleReader {
  position: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = start;
  }

  /** Advances by `length` bytes and returns where they begin. @throws WeightsError if there are fewer. */
  take(length: number): number {
    const start = this.position;
    if (length > this.#bytes.length - start) {
      throw new WeightsError(
        `a pickle is truncated: expected ${length} bytes from byte ${start} on, it has ${this.#bytes.length}`,
      );
    }
    this.position += length;
    return start;
  }

  uint(bytes: 1 | 2 | 4): number {
    const start = this.take(bytes);
    if (bytes === 1) return this.#view.getUint8(start);
    return bytes === 2 ? this.#view.getUint16(start, true) : this.#view.getUint32(start, true);
  }

  int32(): number {
    return this.#view.getInt32(this.take(4), true);
  }

  /** Big-endian, unlike every other number of a pickle. */
  float64(): number {
    return this.#view.getFloat64(this.take(8));
  }

  /** A 64-bit length; one too large loses precision, not magnitude. */
  length64(): number {
    return Number(this.#view.getBigUint64(this.take(8), true));
  }

  integer(length: number): number | bigint {
    if (length > maxIntegerBytes) {
      throw new WeightsError(`a pickle has an integer of ${length} bytes, the limit is ${maxIntegerBytes}`);
    }
    let value = 0n;
    for (const byte of this.bytes(length).toReversed()) value = (value << 8n) | BigInt(byte);
    value = BigInt.asIntN(8 * length, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  bytes(length: number): Uint8Array {
    const start = this.take(length);
    return this.#bytes.subarray(start, start + length);
  }

  text(length: number): string {
    return decodeUtf8(this.bytes(length));
  }

  /** One character per byte. */
  latin1(length: number): string {
    const bytes = this.bytes(length);
    return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
  }

  line(): string {
    const ahead = this.#bytes.subarray(this.position, this.position + maxNameBytes);
    const length = ahead.indexOf(0x0a);
    if (length < 0) throw new WeightsError(`a pickle has an unterminated name at byte ${this.position}`);
    this.position += length + 1;
    return decodeUtf8(ahead.subarray(0, length));
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new WeightsError('a pickle has a string that is not UTF-8', { cause: error });
  }
}

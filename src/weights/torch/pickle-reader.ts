/** The numbers and texts of a pickle, read from the front. Errors are WeightsErrors that do not name the file. */
import { WeightsError } from '../tensor-file.ts';

/** Of an integer. The longest that torch writes, its magic number, has 10. */
const mostIntegerBytes = 64;
const mostNameBytes = 512;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class PickleReader {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = start;
  }

  /** Where the next bytes begin, if there are so many. */
  take(length: number): number {
    const at = this.at;
    if (length > this.#bytes.length - at) {
      throw new WeightsError(
        `a pickle ends early: expected ${length} bytes from byte ${at} on, it has ${this.#bytes.length}`,
      );
    }
    this.at += length;
    return at;
  }

  uint(bytes: 1 | 2 | 4): number {
    const at = this.take(bytes);
    if (bytes === 1) return this.#view.getUint8(at);
    return bytes === 2 ? this.#view.getUint16(at, true) : this.#view.getUint32(at, true);
  }

  int32(): number {
    return this.#view.getInt32(this.take(4), true);
  }

  /** Big-endian, as the only number of a pickle. */
  float64(): number {
    return this.#view.getFloat64(this.take(8));
  }

  /** A length of 64 bits. Too long ones lose digits, not their size. */
  length64(): number {
    return Number(this.#view.getBigUint64(this.take(8), true));
  }

  integer(length: number): number | bigint {
    if (length > mostIntegerBytes) {
      throw new WeightsError(
        `a pickle has an integer of ${length} bytes, at most ${mostIntegerBytes} are allowed`,
      );
    }
    let value = 0n;
    for (const byte of this.bytes(length).toReversed()) value = (value << 8n) | BigInt(byte);
    value = BigInt.asIntN(8 * length, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  bytes(length: number): Uint8Array {
    const at = this.take(length);
    return this.#bytes.subarray(at, at + length);
  }

  text(length: number): string {
    return decodeUtf8(this.bytes(length));
  }

  /** Every byte is a character. */
  latin1(length: number): string {
    const bytes = this.bytes(length);
    return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
  }

  line(): string {
    const rest = this.#bytes.subarray(this.at, this.at + mostNameBytes);
    const length = rest.indexOf(0x0a);
    if (length < 0) throw new WeightsError(`a pickle has a name without an end at byte ${this.at}`);
    this.at += length + 1;
    return decodeUtf8(rest.subarray(0, length));
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new WeightsError('a pickle has a text that is not UTF-8', { cause: error });
  }
}

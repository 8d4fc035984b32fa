/** Where the bytes of an archive come from: read in order, or skipped. */
import type { FileHandle } from 'node:fs/promises';

export interface ByteSource {
  /** Bytes from the beginning to what comes next. */
  readonly position: number;
  /** Bytes in all, where that is known. */
  readonly size: number | undefined;
  /** The next bytes, fewer only at the end. They are valid until the next call: a view of a buffer. */
  read(length: number): Uint8Array | Promise<Uint8Array>;
  /** Goes on; in a file it may go past the end, where nothing is read. */
  skip(length: number): void | Promise<void>;
}

/** After a jump little is wanted: a label and the next header. Read in a row, pieces grow. */
const [fewestBytes, mostBytes] = [4096, 2 ** 18];

/** A file of known size; what is skipped is not read. */
export class FileSource implements ByteSource {
  readonly size: number;
  position = 0;
  readonly #file: FileHandle;
  #buffer = new Uint8Array(mostBytes);
  /** The range of the file that is in the buffer. */
  #begin = 0;
  #end = 0;
  #next = fewestBytes;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  read(length: number): Uint8Array | Promise<Uint8Array> {
    return this.#has(length) ? this.#take(length) : this.#fill(length);
  }

  skip(length: number): void {
    this.position += length;
  }

  #has = (length: number): boolean => this.position >= this.#begin && this.position + length <= this.#end;

  #take(length: number): Uint8Array {
    const at = this.position - this.#begin;
    const bytes = this.#buffer.subarray(at, Math.min(at + length, this.#end - this.#begin));
    this.position += bytes.length;
    return bytes;
  }

  async #fill(length: number): Promise<Uint8Array> {
    const { position } = this;
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
    const isNext = position >= this.#begin && position <= this.#end && this.#end > 0;
    this.#next = isNext ? Math.min(this.#next * 2, mostBytes) : fewestBytes;
    const wanted = Math.max(length, this.#next);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#file.read(this.#buffer, {
        offset: filled,
        length: wanted - filled,
        position: position + filled,
      });
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    this.#begin = position;
    this.#end = position + filled;
    return this.#take(length);
  }
}

/** Bytes that come in pieces, from the network or a process; what is skipped has to come too. */
export class StreamSource implements ByteSource {
  readonly size = undefined;
  position = 0;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  read(length: number): Uint8Array | Promise<Uint8Array> {
    return this.#rest.length >= length ? this.#take(length) : this.#gather(length);
  }

  skip(length: number): void | Promise<void> {
    if (this.#rest.length >= length) this.#take(length);
    else return this.#discard(length);
  }

  /** Lets go of what the bytes come from. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  #take(length: number): Uint8Array {
    const bytes = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(bytes.length);
    this.position += bytes.length;
    return bytes;
  }

  async #gather(length: number): Promise<Uint8Array> {
    // Not allocated for what is announced, but for what comes.
    const parts = [this.#rest];
    let total = this.#rest.length;
    while (total < length) {
      const { done, value } = await this.#pieces.next();
      if (done) break;
      parts.push(value);
      total += value.length;
    }
    this.#rest = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts, total);
    return this.#take(length);
  }

  async #discard(length: number): Promise<void> {
    for (let left = length; ; ) {
      left -= this.#take(left).length;
      if (left === 0) return;
      const { done, value } = await this.#pieces.next();
      if (done) return;
      this.#rest = value;
    }
  }
}

/**
 * The header of a safetensors file: its JSON and the rules about offsets. Files are untrusted, so that the JSON is read by a
 * strict parser: JSON.parse keeps the last of two equal keys and accepts 1e3 as an integer.
 */

import { quoted } from '../../printable.ts';
import { type TensorInfo, WeightsError } from '../tensor-file.ts';

/** A safetensors file that violates the format, or cannot be read. */
export class SafetensorsError extends WeightsError {
  override name = 'SafetensorsError';
}

/** Bytes per element of every type of the format. */
export const elementBytes: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
};

export interface TensorEntry extends TensorInfo {
  /** Byte range, relative to the end of the header. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Maximum header size of the format. */
export const maxHeaderBytes = 100_000_000;

/** Limits of ours. Checkpoints here have up to 2,000 tensors, with names of under 100 characters and 4 dimensions. */
const maxTensors = 100_000;
const maxNameLength = 1024;
const maxDimensions = 64;

/** Parses the header and checks it against the number of data bytes. @throws SafetensorsError naming the tensor. */
export function parseHeader(json: Uint8Array, dataBytes: number): Header {
  if (json[0] !== 0x7b) throw new SafetensorsError("the header must begin with '{'");
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
  } catch {
    throw new SafetensorsError('the header is not UTF-8');
  }
  const parser = new HeaderParser(text);
  const tensors = new Map<string, TensorEntry>();
  let metadata: ReadonlyMap<string, string> = new Map();
  parser.object((name) => {
    if (name === '__metadata__') {
      metadata = parser.strings();
      return;
    }
    if (name.length > maxNameLength)
      throw new SafetensorsError(
        `the name ${quoted(name)} has ${name.length} characters, the limit is ${maxNameLength}`,
      );
    if (tensors.size === maxTensors)
      throw new SafetensorsError(`the header has more than ${maxTensors} tensors`);
    tensors.set(name, parser.tensor(name));
  });
  parser.end();
  checkOffsets([...tensors.values()], dataBytes);
  return { tensors, metadata };
}

/** Tensors must cover the data exactly, without overlaps or holes. */
function checkOffsets(tensors: readonly TensorEntry[], dataBytes: number): void {
  const ordered = [...tensors].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { name, begin, end } of ordered) {
    if (begin !== covered) {
      const problem = begin < covered ? 'overlaps the tensor before it' : 'leaves a hole before it';
      throw new SafetensorsError(
        `tensor '${name}' ${problem}: expected to begin at ${covered}, begins at ${begin}`,
      );
    }
    covered = end;
  }
  if (covered !== dataBytes) {
    throw new SafetensorsError(`the tensors need ${covered} bytes of data, the file has ${dataBytes}`);
  }
}

class HeaderParser {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #fail(expected: string): never {
    const character = this.#text[this.#position];
    const received = character === undefined ? 'the end' : JSON.stringify(character);
    throw new SafetensorsError(
      `the header is not valid: expected ${expected} at character ${this.#position}, received ${received}`,
    );
  }

  #space(): void {
    while (' \n\r\t'.includes(this.#text[this.#position] ?? '.')) this.#position++;
  }

  #take(character: string): boolean {
    this.#space();
    if (this.#text[this.#position] !== character) return false;
    this.#position++;
    return true;
  }

  #need(character: string): void {
    if (!this.#take(character)) this.#fail(`'${character}'`);
  }

  /** Calls `onKey` with every key, after which the value must be read. */
  object(onKey: (key: string) => void): void {
    const keys = new Set<string>();
    this.#need('{');
    if (this.#take('}')) return;
    do {
      const key = this.string();
      if (keys.has(key)) throw new SafetensorsError(`the header has '${key}' twice`);
      keys.add(key);
      this.#need(':');
      onKey(key);
    } while (this.#take(','));
    this.#need('}');
  }

  string(): string {
    this.#space();
    const end = this.#endOfString();
    const token = this.#text.slice(this.#position, end);
    let value: string;
    try {
      value = JSON.parse(token);
    } catch {
      return this.#fail('a valid string');
    }
    this.#position = end;
    if (/[\ud800-\udfff]/u.test(value))
      throw new SafetensorsError(`the header has half a surrogate pair in ${token.slice(0, 200)}`);
    return value;
  }

  /** The position after the closing quote. Not found by a regular expression, which overflows on strings of megabytes. */
  #endOfString(): number {
    if (this.#text[this.#position] !== '"') this.#fail('a string');
    for (let quote = this.#text.indexOf('"', this.#position + 1); quote >= 0; ) {
      let backslashes = 0;
      while (this.#text[quote - 1 - backslashes] === '\\') backslashes++;
      if (backslashes % 2 === 0) return quote + 1;
      quote = this.#text.indexOf('"', quote + 1);
    }
    return this.#fail('a string that ends');
  }

  /** A map from strings to strings, like `__metadata__`. */
  strings(): ReadonlyMap<string, string> {
    const result = new Map<string, string>();
    this.object((key) => result.set(key, this.string()));
    return result;
  }

  #integer(): number {
    this.#space();
    const token = /0|[1-9]\d*/y;
    token.lastIndex = this.#position;
    const [match] = token.exec(this.#text) ?? this.#fail('an integer');
    const value = Number(match);
    if (!Number.isSafeInteger(value)) this.#fail('a number below 2^53');
    this.#position = token.lastIndex;
    if (/[\d.eE]/.test(this.#text[this.#position] ?? '')) this.#fail('an integer in plain digits');
    return value;
  }

  #integers(): number[] {
    const numbers: number[] = [];
    this.#need('[');
    if (this.#take(']')) return numbers;
    do {
      numbers.push(this.#integer());
      if (numbers.length > maxDimensions)
        throw new SafetensorsError(`the header has a shape of more than ${maxDimensions} dimensions`);
    } while (this.#take(','));
    this.#need(']');
    return numbers;
  }

  tensor(name: string): TensorEntry {
    let dtype: string | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    this.object((key) => {
      if (key === 'dtype') dtype = this.string();
      else if (key === 'shape') shape = this.#integers();
      else if (key === 'data_offsets') offsets = this.#integers();
      else throw new SafetensorsError(`tensor '${name}' has an unknown key '${key}'`);
    });
    if (dtype === undefined || !shape || !offsets) {
      throw new SafetensorsError(`tensor '${name}' needs dtype, shape and data_offsets`);
    }
    const size = Object.hasOwn(elementBytes, dtype) ? elementBytes[dtype] : undefined;
    if (size === undefined) throw new SafetensorsError(`tensor '${name}' has an unknown dtype '${dtype}'`);
    const [begin, end] = offsets;
    if (offsets.length !== 2 || begin === undefined || end === undefined || end < begin) {
      throw new SafetensorsError(
        `tensor '${name}': data_offsets must be [begin, end], received [${offsets.join(', ')}]`,
      );
    }
    const expected = shape.reduce((product, length) => product * length, size);
    if (!Number.isSafeInteger(expected) || expected !== end - begin) {
      throw new SafetensorsError(
        `tensor '${name}': ${dtype} [${shape.join(', ')}] needs ${expected} bytes, its offsets give ${end - begin}`,
      );
    }
    return { name, dtype, shape, begin, end };
  }

  end(): void {
    this.#space();
    if (this.#position < this.#text.length) this.#fail('nothing after the header');
  }
}

/**
 * The regular files in a tar archive, one after the other, with where their bytes lie. Nothing is written to disk. Archives are
 * untrusted: what is no plain file is refused with its name, and nothing is allocated for a size that is only announced.
 */
import { quoted } from '../../../printable.ts';
import { ShardError } from '../shard-error.ts';
import type { ByteSource } from './byte-source.ts';
import { readPax } from './pax-records.ts';
import { blockBytes, readHeader, type TarHeader, text } from './tar-header.ts';

/** A regular file. */
export interface TarMember {
  /** Its path, without `./` before it. */
  readonly name: string;
  /** Where its bytes begin in the archive. */
  readonly offset: number;
  readonly length: number;
}

/** Like that of an image file: one is held in memory as a whole. */
export const maxMemberBytes = 2 ** 29;

/** Long names, extended attributes. */
const maxExtensionBytes = 2 ** 20;
const maxNameLength = 4096;

/** Headers in a row that belong to one member. */
const maxExtensions = 8;

/** Of an archive: two gigabytes of headers. A stream of empty members would never end. */
const maxMembers = 4_000_000;

/** Archives are filled up with zeros to a multiple of 10 KiB. */
const maxPaddingBytes = 2 ** 20;

const refused: Readonly<Record<string, string>> = {
  1: 'a hard link',
  2: 'a symbolic link',
  3: 'a character device',
  4: 'a block device',
  6: 'a named pipe',
  S: 'a file with holes (sparse)',
  M: 'a part of a file in several volumes',
  V: 'the name of a volume',
  D: "a folder's listing (incremental)",
};

export class TarReader {
  readonly #source: ByteSource;
  readonly #archive: string;
  #members = 0;
  /** Where the next header begins. */
  #next = 0;

  /** `archive` is its name in messages. */
  constructor(source: ByteSource, archive: string) {
    this.#source = source;
    this.#archive = archive;
  }

  /** The next file, undefined at the end. @throws ShardError naming the archive and the member */
  async next(): Promise<TarMember | undefined> {
    const source = this.#source;
    let name: string | undefined;
    let size: number | undefined;
    for (let extensions = 0; ; ) {
      if (source.position < this.#next) await source.skip(this.#next - source.position);
      const header = await this.#header();
      if (header === undefined) return undefined;
      const offset = source.position;
      if (++this.#members > maxMembers)
        throw this.#error(`has more than ${maxMembers} members; expected a shard of a data set`);
      if (!isExtension(header.type)) {
        const member = { name: name ?? header.name, offset, length: size ?? header.size };
        if (header.type === '5' || (header.type === '0' && member.name.endsWith('/'))) {
          // A folder has no content, whatever its size field says.
          this.#next = offset;
          [name, size, extensions] = [undefined, undefined, 0];
          continue;
        }
        return this.#accept(member, header);
      }
      const told = name ?? header.name;
      if (++extensions > maxExtensions)
        throw this.#refuse(told, `has more than ${maxExtensions} headers that belong to it`);
      const bytes = await this.#extension(header, told);
      if (header.type === 'L') name = text(bytes);
      else if (header.type === 'x' || header.type === 'g') {
        const records = readPax(bytes);
        if (typeof records === 'string') throw this.#refuse(told, records);
        if (records.isSparse) throw this.#refuse(records.path ?? told, `is ${refused.S}`);
        const { path, size: stated } = records;
        if (header.type === 'g' && (path !== undefined || stated !== undefined))
          throw this.#refuse(told, 'gives one name or size to all members');
        name = path ?? name;
        size = stated ?? size;
      }
    }
  }

  /** The bytes of the member, all of them or a part; once, in order. @throws ShardError if the archive ends before them */
  async bytes({ name, offset, length }: TarMember, begin = 0): Promise<Uint8Array> {
    const source = this.#source;
    if (offset + begin > source.position) await source.skip(offset + begin - source.position);
    const bytes = await source.read(length - begin);
    if (bytes.length < length - begin) throw this.#cut(name, length);
    return bytes;
  }

  /** A header, or undefined at the archive's end. */
  async #header(): Promise<TarHeader | undefined> {
    const block = await this.#source.read(blockBytes);
    if (block.length < blockBytes) throw this.#early(block);
    const header = readHeader(block);
    if (header === 'empty') return this.#end();
    if (!('problem' in header)) return header;
    const isFirst = this.#members === 0;
    if (isFirst && block[0] === 0x1f && block[1] === 0x8b)
      throw this.#error('is compressed (gzip); expected a plain tar archive: unpack it with gunzip');
    throw this.#error(
      isFirst
        ? `is no tar archive (${header.problem})`
        : `${header.problem}, at byte ${this.#source.position - blockBytes}: the archive is damaged`,
    );
  }

  #early(block: Uint8Array): ShardError {
    if (block.length === 0 && this.#source.position === 0 && this.#next === 0)
      return this.#error('is empty; expected a tar archive');
    return this.#error(
      `ends at byte ${Math.min(this.#source.position, this.#source.size ?? Infinity)} without the end of an archive: it is cut off`,
    );
  }

  /** Two blocks of zeros end an archive; behind them are zeros only, or somebody has joined archives of which one would be missed. */
  async #end(): Promise<undefined> {
    const source = this.#source;
    for (let read = 0; read < maxPaddingBytes; ) {
      const block = await source.read(blockBytes);
      if (block.some((byte) => byte !== 0))
        throw this.#error(
          `holds data behind its end, at byte ${source.position - block.length}; expected one archive: were several joined?`,
        );
      if (block.length < blockBytes) break;
      read += block.length;
    }
    this.#next = source.position;
    return undefined;
  }

  async #extension({ size }: TarHeader, name: string): Promise<Uint8Array> {
    const source = this.#source;
    if (size > maxExtensionBytes)
      throw this.#refuse(name, `has a header of ${size} bytes; expected at most ${maxExtensionBytes}`);
    this.#next = source.position + whole(size);
    const bytes = await source.read(size);
    if (bytes.length < size) throw this.#cut(name, size);
    // A copy: the next read may overwrite it.
    return bytes.slice();
  }

  #accept(member: TarMember, { type }: TarHeader): TarMember {
    const { offset, length } = member;
    const name = member.name.replace(/^(\.\/+)+/, '');
    if (type !== '0' && type !== '7')
      throw this.#refuse(name, `is ${refused[type] ?? `of type ${quoted(type)}`}; expected regular files`);
    const problem = problemOf(name);
    if (problem !== undefined) throw this.#refuse(name, problem);
    if (length > maxMemberBytes)
      throw this.#refuse(name, `has ${length} bytes; expected at most ${maxMemberBytes}`);
    const { size } = this.#source;
    if (size !== undefined && offset + length > size) throw this.#cut(name, length);
    this.#next = offset + whole(length);
    return { name, offset, length };
  }

  #cut(name: string, length: number): ShardError {
    const { size } = this.#source;
    return this.#refuse(
      name,
      `has ${length} bytes by its header, but the archive ends${size === undefined ? '' : ` at byte ${size}`} before them`,
    );
  }

  #error = (problem: string): ShardError => new ShardError(`${this.#archive}: ${problem}`);

  #refuse = (name: string, problem: string): ShardError => this.#error(`member ${quoted(name)} ${problem}`);
}

const isExtension = (type: string): boolean => ['L', 'K', 'x', 'g'].includes(type);

const whole = (bytes: number): number => Math.ceil(bytes / blockBytes) * blockBytes;

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
const controls = /[\u0000-\u001f\u007f]/;

function problemOf(name: string): string | undefined {
  if (name === '') return 'has no name';
  if (name.length > maxNameLength) return `has a name of ${name.length} characters`;
  if (controls.test(name)) return 'has control characters in its name';
  if (/^([/\\]|[A-Za-z]:[/\\])/.test(name)) return 'has an absolute path; expected one within the archive';
  if (name.split(/[/\\]/).includes('..')) return "leads out of the archive ('..')";
  return undefined;
}

/** Archives as bytes: members of packs, and for tests and the fuzzer every form in which a header can be written, right and wrong. */
import { blockBytes } from './tar-header.ts';

/** A member as it is written; sizes and types may lie. */
export interface WrittenMember {
  readonly name: string;
  readonly body?: Uint8Array | string;
  /** Default: the body's. */
  readonly size?: number;
  readonly type?: string;
  /** How a size is written, and a name of more than 100 bytes. Default 'ustar'. */
  readonly form?: 'ustar' | 'gnu' | 'pax';
  /** More records of the pax header. */
  readonly records?: Readonly<Record<string, string>>;
}

const encoder = new TextEncoder();

const bytesOf = (body: Uint8Array | string): Uint8Array =>
  typeof body === 'string' ? encoder.encode(body) : body;

/** A whole archive. */
export const tarBytes = (members: readonly WrittenMember[]): Uint8Array =>
  Buffer.concat([...members.map(memberBytes), new Uint8Array(2 * blockBytes)]);

export function memberBytes({
  name,
  body = '',
  size,
  type,
  form = 'ustar',
  records,
}: WrittenMember): Uint8Array {
  const content = bytesOf(body);
  const stated = size ?? content.length;
  const header = { name, size: stated, type: type ?? '0', isGnu: form === 'gnu' };
  const pieces: Uint8Array[] = [];
  const isLong = encoder.encode(name).length > 100;
  if (form === 'gnu' && isLong) {
    const bytes = encoder.encode(`${name}\0`);
    pieces.push(
      headerBytes({ ...header, name: '././@LongLink', size: bytes.length, type: 'L' }),
      filled(bytes),
    );
  }
  const all = { ...(form === 'pax' && { path: name, size: String(stated) }), ...records };
  if (Object.keys(all).length > 0) {
    const bytes = encoder.encode(Object.entries(all).map(paxRecord).join(''));
    pieces.push(headerBytes({ ...header, name: 'pax', size: bytes.length, type: 'x' }), filled(bytes));
  }
  pieces.push(headerBytes(form === 'pax' ? { ...header, name: 'x', size: 0 } : header), filled(content));
  return Buffer.concat(pieces);
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
export function paxRecord([key, value]: readonly [string, string]): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = encoder.encode(rest).length;
  const digits = String(bytes + String(bytes).length).length;
  return `${bytes + digits}${rest}`;
}

const filled = (bytes: Uint8Array): Uint8Array =>
  Buffer.concat([bytes, new Uint8Array((blockBytes - (bytes.length % blockBytes)) % blockBytes)]);

interface WrittenHeader {
  readonly name: string;
  readonly size: number;
  readonly type: string;
  readonly isGnu?: boolean;
}

export function headerBytes({ name, size, type, isGnu = false }: WrittenHeader): Uint8Array {
  const block = Buffer.alloc(blockBytes);
  const bytes = encoder.encode(name);
  // ustar's prefix ends at a slash.
  const slash = isGnu || bytes.length <= 100 ? -1 : name.indexOf('/', Math.max(0, name.length - 101));
  block.set((slash > 0 ? encoder.encode(name.slice(slash + 1)) : bytes).subarray(0, 100));
  block.write('0000644\0', 100);
  if (size < 8 ** 11) block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  block.write('00000000000\0', 136);
  block.write(type, 156);
  block.write(isGnu ? 'ustar  \0' : 'ustar\0' + '00', 257);
  if (slash > 0) block.write(name.slice(0, slash), 345);
  return withChecksum(block);
}

/** Fills in the checksum of a header that was changed. */
export function withChecksum(block: Uint8Array): Uint8Array {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(encoder.encode(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
  return block;
}

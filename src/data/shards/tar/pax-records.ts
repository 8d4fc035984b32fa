/** Records of a pax header, `LENGTH KEY=VALUE\n`: names in UTF-8 and sizes that do not fit into an ordinary header. Pure. */
import { text } from './tar-header.ts';

export interface PaxRecords {
  readonly path?: string;
  readonly size?: number;
  /** Whether the member is stored with holes (GNU). */
  readonly isSparse: boolean;
}

const decoder = new TextDecoder('latin1');

/** The records that matter here; a text says what is wrong with them, after the name of the member. */
export function readPax(bytes: Uint8Array): PaxRecords | string {
  let path: string | undefined;
  let size: number | undefined;
  let isSparse = false;
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 || space - at > 10 ? '' : decoder.decode(bytes.subarray(at, space));
    const end = at + Number(digits);
    const equals = bytes.indexOf(0x3d, space);
    if (!/^[1-9]\d*$/.test(digits) || end > bytes.length || equals < 0 || equals >= end - 1)
      return 'has a malformed record in its pax header';
    if (bytes[end - 1] !== 0x0a) return 'has a record in its pax header that does not end where it says';
    const key = decoder.decode(bytes.subarray(space + 1, equals));
    const value = bytes.subarray(equals + 1, end - 1);
    if (key === 'path') {
      if (value.includes(0)) return 'has a name with a zero byte in its pax header';
      path = text(value);
    } else if (key === 'size') {
      const stated = decoder.decode(value);
      if (!/^\d{1,16}$/.test(stated) || !Number.isSafeInteger(Number(stated)))
        return 'has a size in its pax header that is no number';
      size = Number(stated);
    } else if (key.startsWith('GNU.sparse.')) isSparse = true;
    at = end;
  }
  return { ...(path !== undefined && { path }), ...(size !== undefined && { size }), isSparse };
}

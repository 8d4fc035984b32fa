/**
 * The records of a TFRecord file (tensorflow/core/lib/io/record_writer.h): u64 length, its masked CRC-32C, the data, their masked CRC-32C,
 * little-endian. Files are untrusted: nothing is allocated for a length whose checksum is wrong, or that the file does not have.
 */
import { maskedCrc32c } from '../../crc32c.ts';

/** What the reader needs of an open file. */
export interface RandomReader {
  readonly size: number;
  /** Fills the target from a position in the file. */
  read(target: Uint8Array, position: number): Promise<void>;
}

export type RecordFound =
  | { readonly offset: number; readonly data: Uint8Array }
  /** One record whose data are not those that were written; the next one follows. */
  | { readonly offset: number; readonly damaged: string; readonly lost?: undefined }
  /** Where the next record begins is not known: `lost` bytes up to the end cannot be read. */
  | { readonly offset: number; readonly damaged: string; readonly lost: number };

export const headerBytes = 12;
const footerBytes = 4;

/** As large as an image file may be, and its other features. */
const maxRecordBytes = 2 ** 29 + 2 ** 20;

/** Read at a time. */
const pieceBytes = 2 ** 22;

/** The length in a record's header; undefined where its checksum is wrong. */
export function recordLength(header: Uint8Array): number | undefined {
  const view = new DataView(header.buffer, header.byteOffset, headerBytes);
  if (maskedCrc32c(header.subarray(0, 8)) !== view.getUint32(8, true)) return undefined;
  return view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
}

/** How a file is compressed that begins so. */
export function compressionOf(head: Uint8Array): 'GZIP' | 'ZLIB' | undefined {
  const [first, second] = head;
  if (first === 0x1f && second === 0x8b) return 'GZIP';
  const isZlib = first === 0x78 && second !== undefined && ((first << 8) | second) % 31 === 0;
  return isZlib && (head.length < headerBytes || recordLength(head) === undefined) ? 'ZLIB' : undefined;
}

/** Reads all records, in order. Data are views of a buffer that the next record may overwrite. */
export async function* readRecords(file: RandomReader): AsyncGenerator<RecordFound> {
  let [begin, buffer]: [number, Uint8Array] = [0, new Uint8Array(0)];
  let spare = new Uint8Array(0);
  const bytesAt = async (position: number, length: number): Promise<Uint8Array> => {
    if (position < begin || position + length > begin + buffer.length) {
      const wanted = Math.max(length, Math.min(pieceBytes, file.size - position));
      if (spare.length < wanted) spare = new Uint8Array(wanted);
      buffer = spare.subarray(0, wanted);
      begin = position;
      await file.read(buffer, position);
    }
    return buffer.subarray(position - begin, position - begin + length);
  };
  for (let position = 0; position < file.size; ) {
    const lost = (damaged: string) => ({ offset: position, damaged, lost: file.size - position });
    if (position + headerBytes > file.size) {
      yield lost('the file is cut off within the length of a record');
      return;
    }
    const length = recordLength(await bytesAt(position, headerBytes));
    if (length === undefined) {
      yield lost('the checksum of a length is wrong');
      return;
    }
    const offset = position + headerBytes;
    const next = offset + length + footerBytes;
    if (next > file.size) {
      yield lost(`the file is cut off within a record of ${length} bytes`);
      return;
    }
    if (length > maxRecordBytes)
      yield {
        offset,
        damaged: `has ${length} bytes, expected at most ${maxRecordBytes}`,
      };
    else {
      const bytes = await bytesAt(offset, length + footerBytes);
      const data = bytes.subarray(0, length);
      const stored = new DataView(bytes.buffer, bytes.byteOffset + length, footerBytes).getUint32(0, true);
      yield maskedCrc32c(data) === stored
        ? { offset, data }
        : { offset, damaged: 'the checksum of its data is wrong' };
    }
    position = next;
  }
}

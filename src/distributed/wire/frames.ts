/** Messages on a stream of bytes: a length (u32, big endian) and that many bytes of UTF-8. A frame without bytes is a heartbeat. */
import { InceptionError } from '../../errors.ts';

/** Bytes that are not frames, or a message that is too long to be one. */
export class FrameError extends InceptionError {
  override name = 'FrameError';
}

/** Before a process has shaken hands: anybody can connect to an open port. */
export const greetingBytes = 64 * 1024;
/** A value of any call; V8's strings end at 512 MB. */
export const valueBytes = 256 * 1024 * 1024;

export const heartbeat: Buffer = Buffer.alloc(4);

/** @throws FrameError for a text of more than {@link valueBytes} */
export function frameOf(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  if (bytes > valueBytes)
    throw new FrameError(
      `a message of ${bytes} bytes is too long to be sent to the other processes; expected at most ${valueBytes}`,
    );
  const frame = Buffer.allocUnsafe(4 + bytes);
  frame.writeUInt32BE(bytes);
  frame.write(text, 4);
  return frame;
}

export interface FrameReader {
  /** The texts of the frames that are complete with these bytes. @throws FrameError for a frame beyond the limit */
  read(chunk: Buffer): string[];
  /** Longest frame that is taken, in bytes. */
  limit: number;
}

export function createFrameReader(limit: number = greetingBytes): FrameReader {
  // Memory is that of bytes that came, never of a length that was only announced.
  let parts: Buffer[] = [];
  let bytes = 0;
  let length: number | undefined;
  const take = (count: number): Buffer => {
    const all = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, bytes);
    parts = [all.subarray(count)];
    bytes -= count;
    return all.subarray(0, count);
  };
  const reader: FrameReader = {
    limit,
    read: (chunk) => {
      parts.push(chunk);
      bytes += chunk.length;
      const texts: string[] = [];
      for (;;) {
        if (length === undefined) {
          if (bytes < 4) return texts;
          length = take(4).readUInt32BE();
          if (length > reader.limit)
            throw new FrameError(`a message of ${length} bytes; expected at most ${reader.limit}`);
        }
        if (bytes < length) return texts;
        texts.push(take(length).toString('utf8'));
        length = undefined;
      }
    },
  };
  return reader;
}

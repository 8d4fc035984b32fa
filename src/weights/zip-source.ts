/** ZIP archives are read by yauzl from our own source of bytes. */
import { RandomAccessReader } from 'yauzl';
import type { ByteSource } from './byte-source.ts';

/** Adapts our source, which checks ranges and stays open, to yauzl. */
export class SourceReader extends RandomAccessReader {
  readonly #source: ByteSource;
  constructor(source: ByteSource) {
    super();
    this.#source = source;
  }
  override read(
    ...[buffer, offset, length, position, callback]: Parameters<RandomAccessReader['read']>
  ): void {
    this.#source.read(position, length).then(
      (bytes) => {
        buffer.set(bytes, offset);
        callback(null);
      },
      (error: Error) => callback(error),
    );
  }
}

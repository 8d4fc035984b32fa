/** Adds lines to a file in the background, a stretch at a time. */
import { appendFile } from 'node:fs/promises';

export interface LineAppender {
  add(line: string): void;
  /** Waits until all lines are written. @throws what the disk said to any of them */
  close(): Promise<void>;
}

/** Characters that are written at once. */
const stretch = 16_384;

export function appendLines(path: string): LineAppender {
  let pending = '';
  let writing: Promise<void> = Promise.resolve();
  const flush = () => {
    const text = pending;
    pending = '';
    writing = writing.then(() => appendFile(path, text));
    // A full disk is told when the file is closed.
    writing.catch(() => undefined);
  };
  return {
    add: (line) => {
      pending += line;
      if (pending.length > stretch) flush();
    },
    close: async () => {
      flush();
      await writing;
    },
  };
}

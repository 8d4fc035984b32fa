import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MissingImageError, StorageError } from './data-error.ts';
import { readImageFile } from './read-image-file.ts';

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-read-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A disk that fails a number of times before it answers. */
function disk(code: string, failures: number) {
  let reads = 0;
  const read = async () => {
    if (reads++ < failures) throw Object.assign(new Error(code), { code });
    return new Uint8Array([1]);
  };
  return { read, delays: [0, 0, 0], missingDelays: [0, 0], reads: () => reads };
}

describe('reading an image file', () => {
  it.each(['EMFILE', 'EIO', 'ESTALE'])('tries again after %s', async (code) => {
    const failing = disk(code, 3);
    expect(await readImageFile('a.jpg', failing)).toEqual(new Uint8Array([1]));
    expect(failing.reads()).toBe(4);
  });

  it('ends with what the system says if it keeps failing', async () => {
    const read = readImageFile('photos/a.jpg', disk('EIO', 9));
    await expect(read).rejects.toThrow(StorageError);
    await expect(read).rejects.toThrow(
      'photos/a.jpg: cannot be read (EIO), tried 4 times; this is the file system, not the image',
    );
  });

  it.each([
    ['ENAMETOOLONG', 'a.jpg: no such file, the name is too long'],
    ['EACCES', 'a.jpg: may not be read (EACCES)'],
  ])('does not try again after %s', async (code, message) => {
    const failing = disk(code, 1);
    await expect(readImageFile('a.jpg', failing)).rejects.toThrow(new MissingImageError(message));
    expect(failing.reads()).toBe(1);
  });

  it('waits for a file that is gone for a moment, and for no other one after it did not come back', async () => {
    const back = disk('ENOENT', 2);
    expect(await readImageFile('a.jpg', back)).toEqual(new Uint8Array([1]));
    const gone = disk('ENOENT', 9);
    await expect(readImageFile('a.jpg', gone)).rejects.toThrow(new MissingImageError('a.jpg: no such file'));
    const next = disk('ENOENT', 9);
    await expect(readImageFile('b.jpg', next)).rejects.toThrow(MissingImageError);
    expect([back.reads(), gone.reads(), next.reads()]).toEqual([3, 3, 1]);
  });

  it('tells a folder from a file', async () => {
    await expect(readImageFile(root)).rejects.toThrow('is a folder, expected an image file');
    await expect(readImageFile(join(root, 'none.jpg'))).rejects.toThrow('none.jpg: no such file');
  });
});

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findImages } from './find-images.ts';

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-find-'));
  for (const path of [
    'b.jpg',
    'a.PNG',
    'notes.txt',
    'old.bmp',
    'a [1].jpg',
    '.hidden.jpg',
    'more/c.jpg',
    'more/deep/d.png',
    'none/readme',
  ]) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), '');
  }
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function found(...names: readonly string[]) {
  const said: string[] = [];
  const images = await findImages(
    names.map((name) => join(root, name)),
    { onNotice: (line) => said.push(line.replaceAll(root, 'ROOT')) },
  );
  const files = images.map(
    ({ file, error }) => error?.replaceAll(root, 'ROOT') ?? file.slice(root.length + 1),
  );
  return { files, said };
}

describe('the images that arguments name', () => {
  it('are files in the given order, whatever their ending and whether they exist', async () => {
    expect(await found('notes.txt', 'gone.jpg', 'a.PNG')).toEqual({
      files: ['notes.txt', 'gone.jpg', 'a.PNG'],
      said: [],
    });
  });

  it('are those of folders and sub-folders; what is no image is counted', async () => {
    expect(await found('more', '')).toEqual({
      files: [
        'more/c.jpg',
        'more/deep/d.png',
        'a [1].jpg',
        'a.PNG',
        'b.jpg',
        'more/c.jpg',
        'more/deep/d.png',
        'old.bmp',
      ],
      said: [
        'ROOT: left out 1 .txt file (notes.txt), 1 file without an ending (none/readme), 1 hidden file (.hidden.jpg)',
      ],
    });
  });

  it.each([
    ['*.jpg', ['a [1].jpg', 'b.jpg']],
    ['?.*', ['a.PNG', 'b.jpg']],
    ['[!a]*.jpg', ['b.jpg']],
    ['[ab].{jpg,PNG}', ['a.PNG', 'b.jpg']],
    ['[z-a]*', ['ROOT/[z-a]*: no file matches']],
    ['.h*', ['.hidden.jpg']],
    ['**/*.png', ['more/deep/d.png']],
    ['more/**/*.*', ['more/c.jpg', 'more/deep/d.png']],
    ['m*', ['more/c.jpg', 'more/deep/d.png']],
    ['a [1].jpg', ['a [1].jpg']],
    ['*/deep/d.(png)', ['ROOT/*/deep/d.(png): no file matches']],
  ] as const)('are what a pattern matches: %s', async (pattern, files) => {
    expect((await found(pattern)).files).toEqual(files);
  });

  it('are named where there are none', async () => {
    const { files } = await found('*.gif', 'none');
    expect(files).toEqual([
      'ROOT/*.gif: no file matches',
      expect.stringMatching(/^ROOT\/none: contains no images \(\.jpg, /),
    ]);
  });
});

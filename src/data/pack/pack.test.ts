/** Packs, read back as data sets and by GNU tar. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mildAugmentation } from '../../images/augmentation.ts';
import { randomFor } from '../../random.ts';
import { trainingBatches } from '../batches.ts';
import type { Dataset } from '../dataset.ts';
import { openData } from '../open-data.ts';
import { memberName, pathOfMember, withOtherKey } from '../shards/member-name.ts';
import { sampleName } from '../shards/samples.ts';
import { openSplits } from '../splits/open-splits.ts';
import { type PackOptions, packData } from './pack.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'inception-pack-'));
});
afterEach(() => rm(root, { recursive: true }));

async function make(names: readonly string[], { width = 12, height = 10 } = {}): Promise<void> {
  for (const name of names) {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    const random = randomFor(...Buffer.from(name));
    const data = Uint8Array.from({ length: width * height * 3 }, () => Math.floor(256 * random()));
    const image = sharp(data, { raw: { width, height, channels: 3 } });
    await (name.endsWith('.png') ? image.png() : image.jpeg()).toFile(path);
  }
}

const pack = (source: string, output: string, options: Partial<PackOptions> = {}) =>
  packData(join(root, source), { output: join(root, output), maxBytes: 5_000, seed: 1, ...options });

const filesIn = async (folder: string) =>
  Object.fromEntries(
    await Promise.all(
      (await readdir(join(root, folder)))
        .sort()
        .map(async (name) => [name, (await readFile(join(root, folder, name))).toString('base64')] as const),
    ),
  );

const pathsOf = (data: Dataset) =>
  Array.from(
    { length: data.length },
    (_, index) => data.pathOf?.(index) ?? relative(root, data.nameOf(index)),
  );

async function firstBatches(data: Dataset): Promise<unknown[]> {
  const batches = trainingBatches(data, {
    batch: 4,
    size: [8, 8],
    augmentation: mildAugmentation,
    seed: 3,
  });
  const taken: unknown[] = [];
  for await (const { images, labels, indices } of batches) {
    taken.push([Buffer.from(images).toString('base64'), [...labels], [...indices]]);
    if (taken.length === 5) break;
  }
  return taken;
}

const awkward = [
  'cat/1.jpg',
  'cat/1.png',
  'cat/1.2.jpg',
  'cat/10.JPEG',
  'cat/a%2Eb.jpg',
  'cat/more/0.jpg',
  'cat/é x.jpg',
  'dog.v2/2.jpg',
  'dog.v2/3.jpg',
  `dog.v2/${'long '.repeat(30)}.jpg`,
  ...Array.from({ length: 10 }, (_, index) => `owl/${index}.jpg`),
];

describe('a pack of a folder', () => {
  it('gives the very batches that the folder gives, and the same validation images', async () => {
    await make(awkward);
    const [split] = await pack('.', 'shards/train-{}.tar', {});
    expect([split?.images, (split?.shards.length ?? 0) > 3]).toEqual([20, true]);
    const [before, after] = [await openSplits(root), await openSplits(join(root, 'shards'))];
    expect(pathsOf(after.train)).toEqual(pathsOf(before.train));
    expect(pathsOf(after.validation as Dataset)).toEqual(pathsOf(before.validation as Dataset));
    expect(after.train.classes).toEqual(before.train.classes);
    expect(await firstBatches(after.train)).toEqual(await firstBatches(before.train));
    const { train } = after;
    const encoded = (await train.encoded?.(0)) as { file: string; offset: number; length: number };
    const { file, offset, length } = encoded;
    expect((await readFile(file)).subarray(offset, offset + length)).toEqual(
      await readFile(join(root, pathsOf(train)[0] as string)),
    );
  });

  it('is read by tar, with a label beside each image', async () => {
    await make(['cat/1.jpg', 'cat/2.jpg', 'dog/1.jpg']);
    await pack('.', 'shards/train-{}.tar', { maxBytes: 1e6 });
    const listed = execFileSync('tar', ['-tf', join(root, 'shards/train-000000.tar')], { encoding: 'utf8' });
    expect(listed.trim().split('\n').sort()).toEqual(
      ['cat/1.cls', 'cat/1.jpg', 'cat/2.cls', 'cat/2.jpg', 'dog/1.cls', 'dog/1.jpg'].sort(),
    );
    const label = execFileSync('tar', ['-xOf', join(root, 'shards/train-000000.tar'), 'dog/1.cls']);
    expect(label.toString()).toBe('1');
    expect(await readFile(join(root, 'shards/classes.txt'), 'utf8')).toBe('cat\ndog\n');
  });

  it('has the same bytes whenever it is made, also by a pack that was ended and goes on', async () => {
    await make(awkward.map((name) => `source/${name}`));
    await pack('source', 'once/train-{}.tar');
    await pack('source', 'again/train-{}.tar');
    expect(await filesIn('again')).toEqual(await filesIn('once'));
    const controller = new AbortController();
    let images = 0;
    const onImage = () => {
      if (++images === 9) controller.abort();
    };
    await pack('source', 'parts/train-{}.tar', { signal: controller.signal, onImage });
    const part = (await readdir(join(root, 'parts'))).filter((name) => name.endsWith('.tar'));
    expect(part.length).toBeGreaterThan(0);
    expect(part.length).toBeLessThan(Object.keys(await filesIn('once')).length - 2);
    // What a killed pack leaves.
    await writeFile(join(root, `parts/train-00000${part.length}.tar.999.0.incomplete`), 'cut');
    const notices: string[] = [];
    await pack('source', 'parts/train-{}.tar', { onNotice: (line) => notices.push(line) });
    expect(await filesIn('parts')).toEqual(await filesIn('once'));
    expect(notices.some((line) => line.includes(`${part.length} shards with`))).toBe(true);
    const finished = await pack('source', 'parts/train-{}.tar');
    expect(finished[0]?.images).toBe(20);
  });

  it('does not go on with other images, options or classes', async () => {
    await make(['cat/1.jpg', 'dog/1.jpg']);
    await pack('.', 'shards/train-{}.tar');
    await expect(pack('.', 'shards/train-{}.tar', { seed: 2 })).rejects.toThrow(
      'train-pack.json: the shards there are of another --seed (1); remove them, or write to another folder',
    );
    await make(['cat/2.jpg']);
    await expect(pack('.', 'shards/train-{}.tar')).rejects.toThrow('of other images or labels');
    await make(['owl/2.jpg']);
    await expect(pack('.', 'shards/val-{}.tar')).rejects.toThrow('classes.txt: has other classes');
    await rm(join(root, 'shards/train-pack.json'));
    await rm(join(root, 'shards/classes.txt'));
    await expect(pack('.', 'shards/train-{}.tar')).rejects.toThrow(
      'train-000000.tar: is there already, and no train-pack.json says of what',
    );
  });

  it('leaves out what cannot be decoded, by name, and ends where a file cannot be read', async () => {
    await make(['cat/1.jpg', 'dog/1.jpg', 'dog/2.jpg']);
    await writeFile(join(root, 'cat/broken.jpg'), 'no image');
    const [split] = await pack('.', 'shards/train-{}.tar');
    expect([split?.images, split?.undecodable.map(({ image }) => image)]).toEqual([
      3,
      [join(root, 'cat/broken.jpg')],
    ]);
    const gone = pack('.', 'others/train-{}.tar', {
      onStart: () => rmSync(join(root, 'dog'), { recursive: true }),
    });
    await expect(gone).rejects.toThrow('no such file');
  });

  it('has smaller images where that is asked for, and never larger ones', async () => {
    await make(['cat/1.jpg', 'dog/1.png'], { width: 90, height: 60 });
    await make(['dog/small.jpg'], { width: 20, height: 15 });
    const shrinking = { shorterSide: 30, quality: 80 };
    const [split] = await pack('.', 'shards/train-{}.tar', { shrinking });
    expect([split?.images, split?.reencoded]).toEqual([3, 2]);
    const data = await openData(join(root, 'shards'), 'train');
    const sizes: unknown[] = [];
    for (let index = 0; index < 3; index++) {
      const { width, height } = await data.image(index);
      sizes.push([data.pathOf?.(index), width, height]);
    }
    expect(sizes).toEqual([
      ['cat/1.jpg', 45, 30],
      ['dog/1.png', 45, 30],
      ['dog/small.jpg', 20, 15],
    ]);
  });
});

describe('packs of splits', () => {
  it('are of names with the split, and have the classes of training', async () => {
    await make(['in/train/cat/1.jpg', 'in/train/dog/1.jpg', 'in/val/dog/2.jpg']);
    const packed = await pack('in', 'shards/{split}-{}.tar');
    expect(packed.map(({ images }) => images)).toEqual([2, 1]);
    expect((await readdir(join(root, 'shards'))).sort()).toEqual(
      ['classes.txt', 'train-000000.tar', 'train-pack.json', 'val-000000.tar', 'val-pack.json'].sort(),
    );
    const { validation } = await openSplits(join(root, 'shards'));
    expect([validation?.length, validation?.classes, validation?.label(0)]).toEqual([1, ['cat', 'dog'], 1]);
  });

  it.each<[string, Partial<PackOptions>, string]>([
    ['shards/train-{}.tar', {}, 'expected {split} in the name'],
    ['shards/train.tar', {}, "expected a name with {} for the shard's number that ends in .tar"],
    ['shards/train-{}', {}, "expected a name with {} for the shard's number that ends in .tar"],
    ['shards/train-{}.tar', { split: 'test' }, 'has the splits train, val'],
  ])('refuse %s', async (output, options, message) => {
    await make(['in/train/cat/1.jpg', 'in/train/dog/1.jpg', 'in/val/dog/2.jpg']);
    await expect(pack('in', output, options)).rejects.toThrow(message);
  });
});

describe('names of members', () => {
  it('stand for any path, with a key that ends at the only dot', () =>
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[^/\0]+$/), { minLength: 1, maxLength: 3 }),
        fc.constantFrom('jpg', 'JPEG', 'png'),
        (parts, ending) => {
          const path = `${parts.join('/')}.${ending}`;
          const member = memberName(path) as string;
          expect([pathOfMember(member), pathOfMember(withOtherKey(member))]).toEqual([path, path]);
          expect(sampleName(member)?.field).toBe(ending.toLowerCase());
          expect(sampleName(withOtherKey(member))?.key).not.toBe(sampleName(member)?.key);
        },
      ),
    ));
});

describe('a pack of record files', () => {
  it('has the names that their images had in folders', async () => {
    const fixtures = new URL('../../../test/fixtures/tfrecord/', import.meta.url).pathname;
    for (const name of (await readdir(fixtures)).filter((each) => each.includes('-of-')))
      await cp(join(fixtures, name), join(root, 'records', name));
    await pack('records', 'shards/{split}-{}.tar');
    const { train, validation } = await openSplits(join(root, 'shards'));
    expect(pathsOf(train)).toEqual([
      'n01440764/n01440764_1.JPEG',
      'n01440764/n01440764_5.JPEG',
      'n02012849/n02012849_3.JPEG',
      'n02012849/n02012849_4.JPEG',
      'n03126707/n03126707_2.JPEG',
    ]);
    expect(train.classes).toEqual(['tench, Tinca tinca', 'crane (n02012849)', 'crane (n03126707)']);
    expect(validation?.length).toBe(2);
  });
});

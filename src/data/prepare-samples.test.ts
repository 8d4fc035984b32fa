/** The addon against TypeScript and sharp, which are the reference: the same bits, and the same errors. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Augmentation,
  fineTuneAugmentation,
  mildAugmentation,
  paperAugmentation,
  unusedAugmentation,
} from '../images/augmentation.ts';
import { randomFor } from '../random.ts';
import { decodeBySharp } from './decode.ts';
import { findImageAddon, type ImageAddon, imageAddon } from './native/image-addon.ts';
import { prepareSamples, type Sample } from './prepare-samples.ts';

const folder = fileURLToPath(new URL('../../test/fixtures/jpegs/', import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith('.jpg'));
const size = [37, 43] as const;

const augmentations: Record<string, Augmentation> = {
  paper: paperAugmentation,
  'fine-tune': fineTuneAugmentation,
  mild: mildAugmentation,
  erased: { ...paperAugmentation, erase: 1, verticalFlip: true },
  others: { ...paperAugmentation, ...{ rotation: 30, randAugment: 9, trivialAugment: true, erase: 0.5 } },
  whole: {
    ...unusedAugmentation,
    area: null,
    aspect: [1, 1],
    shift: 0,
    flip: false,
    colour: false,
    erase: 0,
  },
};

/** Left to sharp: what is damaged, and what is more than grey or RGB. */
const left = ['cmyk.jpg', 'corrupt.jpg', 'truncated.jpg', 'without-end.jpg', 'trailing-bytes.jpg'];

const addon = imageAddon() as ImageAddon;

/** As in the addon, and counts what it took. */
function counting(counts: { taken: number; given: number }): ImageAddon {
  return {
    ...addon,
    async prepare(sources, preparation) {
      await addon.prepare(sources, preparation);
      counts.given += sources.length;
      counts.taken += preparation.taken.reduce((sum, taken) => sum + taken, 0);
    },
  };
}

/** For samples whose slots are their seeds. */
const from = (file: string) => ({
  decode: () => decodeBySharp(file, file),
  randomOf: ({ slot }: Sample) => randomFor(slot),
});

const seeds = 4;

async function prepared(
  name: string,
  {
    count = seeds,
    ...options
  }: { addon: ImageAddon | null; augmentation: Augmentation; source?: Sample['source']; count?: number },
) {
  const file = `${folder}${name}`;
  const target = new Uint8Array(count * size[0] * size[1] * 3);
  const samples = Array.from({ length: count }, (_, slot) => ({ source: options.source ?? { file }, slot }));
  const failed = await prepareSamples(samples, { ...options, ...from(file), target, size });
  return { target, errors: failed.map(({ error }) => (error as Error).message) };
}

describe('an image prepared by the addon', () => {
  beforeAll(() => {
    expect(findImageAddon()).toHaveProperty('addon');
  });

  it.each(names)('has the bits that sharp and TypeScript give: %s', async (name) => {
    for (const augmentation of Object.values(augmentations)) {
      const counts = { taken: 0, given: 0 };
      const reference = await prepared(name, { addon: null, augmentation });
      const fast = await prepared(name, { addon: counting(counts), augmentation });
      // Not their texts: libvips has one place for the reasons of all its threads.
      expect(fast.errors).toHaveLength(reference.errors.length);
      expect(Buffer.compare(fast.target, reference.target)).toBe(0);
      if (!left.includes(name)) expect(counts).toEqual({ taken: seeds, given: seeds });
    }
  });

  it.each(['grey.jpg', '444.jpg', 'orientation-6.jpg', '3x47.jpg'])(
    'has the same bits with every instruction set, and as bytes or a part of a file: %s',
    async (name) => {
      const bytes = readFileSync(`${folder}${name}`);
      const augmentation = augmentations.erased as Augmentation;
      const { instructionSets } = addon.facts();
      const reference = await prepared(name, { addon: null, augmentation });
      for (const set of instructionSets) {
        addon.useInstructionSet(set);
        const sources = [
          { file: `${folder}${name}` },
          { bytes },
          { file: `${folder}${name}`, offset: 0, length: bytes.length },
        ];
        for (const source of sources)
          expect(
            Buffer.compare((await prepared(name, { addon, augmentation, source })).target, reference.target),
          ).toBe(0);
      }
    },
  );

  it('is left to sharp where it is damaged, which says what is wrong', async () => {
    // One alone: libvips has one place for the reasons of all its threads, and another's beginning empties it.
    const { errors } = await prepared('truncated.jpg', { addon, augmentation: paperAugmentation, count: 1 });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(
      /truncated\.jpg: cannot be decoded as JPEG, PNG, WebP, GIF, TIFF or AVIF .*premature end/i,
    );
  });

  it('is read from its place in a file only', async () => {
    const augmentation = paperAugmentation;
    const source = { file: `${folder}420.jpg`, offset: 1, length: 500 };
    const counts = { taken: 0, given: 0 };
    const { errors } = await prepared('420.jpg', { addon: counting(counts), augmentation, source });
    // 'decode' reads the whole file here.
    expect([counts.taken, errors]).toEqual([seeds, []]);
  });

  it('is not begun once the signal is aborted', async () => {
    const closing = new AbortController();
    closing.abort(new Error('closed'));
    const file = `${folder}420.jpg`;
    const options = { ...from(file), size, augmentation: paperAugmentation, signal: closing.signal };
    const target = new Uint8Array(size[0] * size[1] * 3);
    await expect(prepareSamples([{ source: { file }, slot: 0 }], { ...options, target })).rejects.toThrow(
      'closed',
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseValidation, shareOf } from './choose-validation.ts';

interface Images {
  readonly paths: readonly string[];
  /** Of the image at the same place; others are like no other. */
  readonly copies?: Readonly<Record<number, number>>;
}

/** The class of `cat/1.jpg` is `cat`. */
function choose({ paths, copies = {} }: Images, fraction = 0.2) {
  const classes = [...new Set(paths.map((path) => path.split('/')[0] as string))].sort();
  const { train, validation, inTrainingOnly } = chooseValidation(
    {
      length: paths.length,
      classes,
      label: (index) => classes.indexOf(paths[index]?.split('/')[0] as string),
      pathOf: (index) => paths[index] as string,
      firstIdentical: paths.map((_, index) => copies[index] ?? index),
    },
    fraction,
  );
  const named = (indices: readonly number[]) => indices.map((index) => paths[index] as string);
  return { train: named(train), validation: named(validation), inTrainingOnly };
}

const names = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${name}/${index}.jpg`);

/** Paths of a class whose images are all on one side by their hash. */
const onOneSide = (name: string, { count, below }: { count: number; below: boolean }) =>
  names(name, 200)
    .filter((path) => shareOf(path) < 0.2 === below)
    .slice(0, count);

describe('the validation images', () => {
  it('are those whose path has a SHA-256 below the fraction', () => {
    // printf 'cat/1.jpg' | sha256sum: 634a07bf9def…, of which the first 48 bits count.
    expect(shareOf('cat/1.jpg')).toBe(0x634a07bf9def / 2 ** 48);
    const paths = [...names('cat', 500), ...names('dog', 300)];
    expect(choose({ paths }).validation).toEqual(paths.filter((path) => shareOf(path) < 0.2));
  });

  it('are about the fraction of each class', () => {
    const { validation } = choose({ paths: [...names('cat', 2000), ...names('dog', 500)] });
    const cats = validation.filter((path) => path.startsWith('cat/')).length;
    // Four standard deviations.
    expect(Math.abs(cats / 2000 - 0.2)).toBeLessThan(0.036);
    expect(Math.abs((validation.length - cats) / 500 - 0.2)).toBeLessThan(0.072);
  });

  it('stay where they are when images are added, and when the fraction grows', () => {
    const few = names('cat', 200).concat(names('dog', 100));
    const more = [...few, ...names('owl', 50), ...names('cat', 400).slice(200)];
    const [before, after] = [choose({ paths: few }), choose({ paths: more })];
    expect(after.validation).toEqual(expect.arrayContaining(before.validation));
    expect(after.train).toEqual(expect.arrayContaining(before.train));
    expect(choose({ paths: few }, 0.4).validation).toEqual(expect.arrayContaining(before.validation));
  });

  it('are the same for an accent in one letter or in two', () => {
    expect(shareOf('café/1.jpg')).toBe(shareOf('café/1.jpg'.normalize('NFD')));
  });

  it('are at least one of a class of two images, and not both', () => {
    for (const below of [true, false]) {
      const paths = onOneSide('cat', { count: 2, below });
      const { train, validation } = choose({ paths });
      expect([train.length, validation.length]).toEqual([1, 1]);
      // The one next to the boundary has changed sides.
      const [low, high] = [...paths].sort((a, b) => shareOf(a) - shareOf(b));
      expect(below ? train : validation).toEqual([below ? high : low]);
    }
  });

  it('are none of a class of one image, or of copies of one', () => {
    const [cat = ''] = onOneSide('cat', { count: 1, below: true });
    const [first = '', second = ''] = onOneSide('dog', { count: 2, below: true });
    const paths = [cat, first, second, ...names('owl', 10)];
    const { train, inTrainingOnly } = choose({ paths, copies: { 2: 1 } });
    expect(train).toEqual(expect.arrayContaining([cat, first, second]));
    expect(inTrainingOnly).toEqual(['cat', 'dog']);
  });

  it('never are copies of training images, in any class, and no class with two different images lacks them', () => {
    const image = fc.record({ name: fc.constantFrom('a', 'b', 'c'), copyOf: fc.option(fc.nat({ max: 30 })) });
    fc.assert(
      fc.property(fc.array(image, { minLength: 1, maxLength: 30 }), (images) => {
        const copies: number[] = [];
        images.forEach(({ copyOf }, index) => {
          copies.push(copyOf !== null && copyOf < index ? (copies[copyOf] as number) : index);
        });
        const paths = images.map(({ name }, index) => `${name}/${index}`);
        const { train, validation, inTrainingOnly } = choose({ paths, copies: { ...copies } });
        expect([...train, ...validation].sort()).toEqual([...paths].sort());
        const numbers = (side: readonly string[]) => side.map((path) => Number(path.split('/')[1]));
        const contents = (side: readonly string[]) => new Set(numbers(side).map((index) => copies[index]));
        for (const content of contents(validation)) expect(contents(train)).not.toContain(content);
        const shared = copies.some((first, index) => images[first]?.name !== images[index]?.name);
        if (shared) return;
        for (const name of new Set(images.map((each) => each.name))) {
          const own = copies.filter((_, index) => images[index]?.name === name);
          expect(inTrainingOnly.includes(name)).toBe(new Set(own).size === 1);
          expect(train.some((path) => path.startsWith(`${name}/`))).toBe(true);
        }
      }),
    );
  });
});

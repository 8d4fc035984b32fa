/** The state of the page that teaches, the order it brings into dropped files, and what it finds odd. */
import { describe, expect, it } from 'vitest';
import { perceptualHash } from '../src/check/perceptual-hash.ts';
import type { Image } from '../src/images/image.ts';
import type { Seen } from '../web/src/teach/messages.ts';
import { oddImages } from '../web/src/teach/odd-images.ts';
import { sortIntoClasses } from '../web/src/teach/sort-into-classes.ts';
import { type Action, initial, obstacle, reduce, type Teaching } from '../web/src/teach/teaching.ts';
import { formulaImage } from './formula-image.ts';

const file = new Blob([]);
const files = (...names: string[]) => names.map((name) => ({ name, file }));
const stateOf = (...actions: Action[]): Teaching => actions.reduce(reduce, initial);
const add = (classId: number, ...names: string[]): Action => ({
  kind: 'add images',
  classId,
  files: files(...names),
});

const seen = (image: Image, digest: string): Seen => ({
  width: image.width,
  height: image.height,
  digest,
  hash: perceptualHash(image),
  thumbnail: file,
});

describe('the classes of the page that teaches', () => {
  it('take the place of empty ones that nobody named, and get more of a name that is there', () => {
    const classes = [
      { name: 'owl', files: files('a.jpg', 'b.jpg') },
      { name: 'mug', files: files('c.jpg') },
    ];
    const first = stateOf({ kind: 'add classes', classes });
    expect(first.classes.map(({ name }) => name)).toEqual(['owl', 'mug']);
    const second = reduce(first, { kind: 'add classes', classes: [{ name: 'mug', files: files('d.jpg') }] });
    expect(second.classes).toEqual(first.classes);
    expect(second.images.map(({ name, classId }) => [name, classId])).toEqual([
      ['a.jpg', second.classes[0]?.id],
      ['b.jpg', second.classes[0]?.id],
      ['c.jpg', second.classes[1]?.id],
      ['d.jpg', second.classes[1]?.id],
    ]);
    expect(new Set(second.images.map(({ id }) => id)).size).toBe(4);
  });

  it('keep those that have a name or images when a folder is added', () => {
    const state = stateOf({ kind: 'rename class', id: 0, name: 'wren' }, add(1, 'a.jpg'), {
      kind: 'add classes',
      classes: [{ name: 'owl', files: files('b.jpg') }],
    });
    expect(state.classes.map(({ name }) => name)).toEqual(['wren', 'Class 2', 'owl']);
  });

  it('come back with their images when a removal is undone, until something else is changed', () => {
    const full = stateOf(add(0, 'a.jpg', 'b.jpg'));
    const without = reduce(full, { kind: 'remove class', id: 0 });
    expect([without.classes.length, without.images.length, without.before?.removed]).toEqual([
      1,
      0,
      'class Class 1',
    ]);
    const back = reduce(without, { kind: 'undo' });
    expect([back.classes, back.images, back.before]).toEqual([full.classes, full.images, undefined]);
    expect(reduce(without, { kind: 'add class' }).before).toBeUndefined();
    const fewer = reduce(full, { kind: 'remove images', ids: [full.images[0]?.id as number] });
    expect([fewer.images.length, fewer.before?.removed]).toEqual([1, '1 image']);
  });

  it('say that they have changed since they were learnt', () => {
    const state = stateOf(add(0, 'a.jpg'));
    const moved = reduce(state, { kind: 'move image', id: state.images[0]?.id as number, classId: 1 });
    expect(moved.images[0]?.classId).toBe(1);
    expect(moved.revision).toBeGreaterThan(state.revision);
  });

  it('are seen anew by another model, and what the one before learnt is gone', () => {
    const state = stateOf(add(0, 'a.jpg'));
    const id = state.images[0]?.id as number;
    const image = formulaImage([20, 30]);
    const known = reduce(state, { kind: 'seen', id, seen: seen(image, 'a'), elapsedMs: 5 });
    expect(known.images[0]?.seen?.width).toBe(30);
    const other = reduce(known, {
      kind: 'asked',
      request: { kind: 'load', source: { kind: 'file', file: file as File } },
    });
    expect([other.images[0]?.seen, other.outcome, other.loading]).toEqual([
      undefined,
      undefined,
      { done: 0, total: 1 },
    ]);
  });

  it.each([
    [[], 'Choose a model: its features are what the classes are told apart by.'],
    [
      [{ kind: 'starting' }],
      'At least two images are needed of each class; add some to “Class 1”, “Class 2”.',
    ],
    [[{ kind: 'starting' }, { kind: 'remove class', id: 1 }, add(0, 'a', 'b')], 'Make at least two classes.'],
    [[{ kind: 'starting' }, { kind: 'rename class', id: 1, name: ' ' }], 'Give every class a name.'],
    [
      [{ kind: 'starting' }, { kind: 'rename class', id: 1, name: 'Class 1 ' }],
      'Two classes are called “Class 1”: give one of them another name.',
    ],
    [
      [
        { kind: 'starting' },
        add(0, 'a', 'b'),
        add(1, 'c', 'd'),
        { kind: 'not seen', id: 2, problem: 'torn' },
      ],
      'At least two images are needed of each class; add some to “Class 1”.',
    ],
    [[{ kind: 'starting' }, add(0, 'a', 'b'), add(1, 'c', 'd')], undefined],
  ] as const satisfies readonly (readonly [readonly Action[], string | undefined])[])(
    'can be learnt, or say what is in the way: %#',
    (actions, expected) => {
      expect(obstacle(stateOf(...actions))).toBe(expected);
    },
  );
});

describe('dropped files', () => {
  it('are classes by the folder that they lie in, without what is no image', () => {
    const of = (path: string, type = 'image/jpeg') => {
      const parts = path.split('/');
      return { path: parts.slice(0, -1), file: new File([], parts.at(-1) as string, { type }) };
    };
    const { classes, leftOut } = sortIntoClasses([
      of('photos/owl/10.jpg'),
      of('photos/owl/9.jpg'),
      of('photos/mug/old/1.png', 'image/png'),
      of('photos/mug/notes.txt', 'text/plain'),
      of('photos/mug/.DS_Store', ''),
      of('loose.jpg'),
    ]);
    expect(classes.map(({ name, files: inside }) => [name, inside.map((each) => each.name)])).toEqual([
      ['', ['loose.jpg']],
      ['old', ['1.png']],
      ['owl', ['9.jpg', '10.jpg']],
    ]);
    expect(leftOut).toEqual(['photos/mug/notes.txt']);
  });
});

describe('odd images', () => {
  const owl = formulaImage([60, 80]);
  const mug: Image = { ...owl, data: owl.data.map((value, at) => (at % 7) * 36 + (value >> 4)) };

  it('are copies, look-alikes in two classes, small ones and those that cannot be decoded', () => {
    let state = stateOf(add(0, 'owl.jpg', 'copy.jpg', 'torn.jpg'), add(1, 'mug.jpg', 'owl-again.jpg'));
    const ids = state.images.map(({ id }) => id);
    const known = [seen(owl, 'a'), seen(owl, 'a'), undefined, seen(mug, 'b'), seen(owl, 'c')];
    known.forEach((each, at) => {
      const id = ids[at] as number;
      state = reduce(
        state,
        each ? { kind: 'seen', id, seen: each, elapsedMs: 1 } : { kind: 'not seen', id, problem: 'torn' },
      );
    });
    const names = (images: readonly { readonly name: string }[]) => images.map(({ name }) => name);
    const odd = oddImages(state.images, [60, 81]);
    expect(names(odd.undecodable)).toEqual(['torn.jpg']);
    expect(odd.contradictions.map(({ images, identical }) => [names(images), identical])).toEqual([
      [['owl.jpg', 'copy.jpg', 'owl-again.jpg'], false],
    ]);
    expect(odd.copies).toEqual([]);
    expect(odd.small).toHaveLength(4);
    const within = oddImages(
      state.images.filter(({ classId }) => classId === 0),
      [60, 80],
    );
    expect(within.copies.map(({ images, identical }) => [names(images), identical])).toEqual([
      [['owl.jpg', 'copy.jpg'], true],
    ]);
    expect(within.small).toEqual([]);
  });
});

/** The state of the Teach page: classes, their images, and what was learnt from them. Pure. */
import type { LoadedModel } from '../classify/messages.ts';
import type { Event, Guess, Outcome, Request, Seen } from './messages.ts';

export interface TaughtClass {
  readonly id: number;
  readonly name: string;
}

export interface TaughtImage {
  readonly id: number;
  readonly classId: number;
  readonly name: string;
  readonly file: Blob;
  /** Undefined until the network has seen it. */
  readonly seen: Seen | undefined;
  /** Why it cannot be used. */
  readonly problem: string | undefined;
  /** Address of a small image. */
  readonly url: string | undefined;
}

/** A file that was dropped, chosen or photographed. */
export interface NamedFile {
  readonly name: string;
  readonly file: Blob;
}

type Lists = Pick<Teaching, 'classes' | 'images'>;

export interface Teaching {
  readonly model: LoadedModel | undefined;
  readonly loading: { readonly done: number; readonly total: number } | 'starting' | undefined;
  readonly classes: readonly TaughtClass[];
  readonly images: readonly TaughtImage[];
  readonly nextId: number;
  /** Grows with every change of classes or images. */
  readonly revision: number;
  /** Classes and images before the last removal, until the next change. */
  readonly before: (Lists & { readonly removed: string }) | undefined;
  /** `waiting` until the network has seen all images. */
  readonly training: { readonly tried: number; readonly of: number } | 'waiting' | undefined;
  readonly outcome: Outcome | undefined;
  readonly trying: boolean;
  readonly guess: Guess | undefined;
  readonly writing: boolean;
  /** The model as a file, of the last outcome. */
  readonly written: Blob | undefined;
  /** How long the network takes for an image. */
  readonly msPerImage: number | undefined;
  readonly error: { readonly during: Request['kind']; readonly message: string } | undefined;
}

export const initial: Teaching = {
  model: undefined,
  loading: undefined,
  classes: [
    { id: 0, name: 'Class 1' },
    { id: 1, name: 'Class 2' },
  ],
  images: [],
  nextId: 2,
  revision: 0,
  before: undefined,
  training: undefined,
  outcome: undefined,
  trying: false,
  guess: undefined,
  writing: false,
  written: undefined,
  msPerImage: undefined,
  error: undefined,
};

export type Change =
  | { readonly kind: 'add class' }
  | { readonly kind: 'rename class'; readonly id: number; readonly name: string }
  | { readonly kind: 'remove class'; readonly id: number }
  | { readonly kind: 'add images'; readonly classId: number; readonly files: readonly NamedFile[] }
  /** Classes by name: those that are there get more images, and empty ones with their first names give way. */
  | {
      readonly kind: 'add classes';
      readonly classes: readonly { readonly name: string; readonly files: readonly NamedFile[] }[];
    }
  | { readonly kind: 'move image'; readonly id: number; readonly classId: number }
  | { readonly kind: 'remove images'; readonly ids: readonly number[] }
  | { readonly kind: 'undo' };

/** An image that was seen comes with the address of its small image. */
type WorkerEvent = Event & { readonly url?: string };

export type Action =
  | WorkerEvent
  | Change
  | { readonly kind: 'asked'; readonly request: Request }
  | { readonly kind: 'train when all are seen' };

const changes: {
  readonly [K in Change['kind']]: (
    state: Teaching,
    change: Extract<Change, { kind: K }>,
  ) => Partial<Teaching>;
} = {
  'add class': ({ classes, nextId }) => ({
    classes: [...classes, { id: nextId, name: freeName(classes) }],
    nextId: nextId + 1,
  }),
  'rename class': ({ classes }, { id, name }) => ({
    classes: classes.map((each) => (each.id === id ? { ...each, name } : each)),
  }),
  'remove class': ({ classes, images }, { id }) => ({
    classes: classes.filter((each) => each.id !== id),
    images: images.filter(({ classId }) => classId !== id),
    before: { classes, images, removed: `class ${classes.find((each) => each.id === id)?.name}` },
  }),
  'add images': (state, { classId, files }) => withImages(state, [{ classId, files }]),
  'add classes': (state, { classes: added }) => {
    const used = new Set(state.images.map(({ classId }) => classId));
    const kept = state.classes.filter(({ id, name }) => used.has(id) || !firstName.test(name));
    let { nextId } = state;
    const classes = [...kept];
    const places = added.map(({ name, files }) => {
      let there = classes.find((each) => each.name === name);
      if (!there) {
        there = { id: nextId++, name };
        classes.push(there);
      }
      return { classId: there.id, files };
    });
    return withImages({ ...state, classes, nextId }, places);
  },
  'move image': ({ images }, { id, classId }) => ({
    images: images.map((image) => (image.id === id ? { ...image, classId } : image)),
  }),
  'remove images': ({ classes, images }, { ids }) => {
    const removed = new Set(ids);
    return {
      images: images.filter(({ id }) => !removed.has(id)),
      before: { classes, images, removed: ids.length === 1 ? '1 image' : `${ids.length} images` },
    };
  },
  undo: ({ before }) => (before ? { classes: before.classes, images: before.images } : {}),
};

/** The names that classes begin with. */
const firstName = /^Class \d+$/;

function freeName(classes: readonly TaughtClass[]): string {
  const names = new Set(classes.map(({ name }) => name));
  let number = classes.length + 1;
  while (names.has(`Class ${number}`)) number++;
  return `Class ${number}`;
}

function withImages(
  state: Teaching,
  places: readonly { readonly classId: number; readonly files: readonly NamedFile[] }[],
): Partial<Teaching> {
  let { nextId } = state;
  const added = places.flatMap(({ classId, files }) =>
    files.map(
      ({ name, file }): TaughtImage => ({
        ...{ id: nextId++, classId, name, file },
        ...{ seen: undefined, problem: undefined, url: undefined },
      }),
    ),
  );
  return { classes: state.classes, images: [...state.images, ...added], nextId };
}

type Step<K extends Action['kind']> = (
  state: Teaching,
  action: Extract<Action, { kind: K }>,
) => Partial<Teaching>;

const steps: { readonly [K in Exclude<Action['kind'], Change['kind']>]: Step<K> } = {
  asked: ({ images }, { request }) => {
    switch (request.kind) {
      case 'load':
        // Another network sees everything anew.
        return {
          ...{ model: undefined, loading: { done: 0, total: 1 }, error: undefined, msPerImage: undefined },
          ...{ outcome: undefined, guess: undefined, written: undefined, training: undefined },
          images: images.map((image) => ({ ...image, seen: undefined, problem: undefined })),
        };
      case 'train':
        return { training: { tried: 0, of: 1 }, error: undefined };
      case 'try':
        return { trying: true, error: undefined };
      case 'write':
        return { writing: true, error: undefined };
      case 'see':
        return {};
    }
  },
  'train when all are seen': () => ({ training: 'waiting', error: undefined }),
  progress: (_, { done, total }) => ({ loading: { done, total } }),
  starting: () => ({ loading: 'starting' }),
  loaded: (_, { model }) => ({ model, loading: undefined }),
  seen: ({ images }, { id, seen, elapsedMs, url }) => ({
    images: images.map((image) => (image.id === id ? { ...image, seen, url: url ?? image.url } : image)),
    msPerImage: elapsedMs,
  }),
  'not seen': ({ images }, { id, problem }) => ({
    images: images.map((image) => (image.id === id ? { ...image, problem } : image)),
  }),
  training: (_, { tried, of }) => ({ training: { tried, of } }),
  // What was tried and written is of an earlier outcome.
  trained: (_, { outcome }) => ({ outcome, training: undefined, guess: undefined, written: undefined }),
  guess: (_, { guess }) => ({ guess, trying: false }),
  written: (_, { file }) => ({ written: file, writing: false }),
  failed: (_, { during, message }) => ({
    ...{ loading: undefined, training: undefined, trying: false, writing: false },
    error: { during, message },
  }),
};

export function reduce(state: Teaching, action: Action): Teaching {
  const change = (changes as Record<string, Step<Action['kind']> | undefined>)[action.kind];
  if (change)
    return {
      ...state,
      before: undefined,
      ...change(state, action as never),
      revision: state.revision + 1,
    };
  const step = (steps as Record<string, Step<Action['kind']>>)[action.kind] as Step<Action['kind']>;
  return { ...state, ...step(state, action as never) };
}

/** Images that can be learnt from. */
export const usable = (images: readonly TaughtImage[]): readonly TaughtImage[] =>
  images.filter(({ seen }) => seen !== undefined);

export const waiting = (images: readonly TaughtImage[]): number =>
  images.filter(({ seen, problem }) => seen === undefined && problem === undefined).length;

/** Why these classes cannot be learnt yet; undefined if they can. */
export function obstacle({ model, loading, classes, images }: Teaching): string | undefined {
  if (!model && !loading) return 'Choose a model: its features are what the classes are told apart by.';
  const names = classes.map(({ name }) => name.trim());
  if (names.some((name) => name === '')) return 'Give every class a name.';
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `Two classes are called “${twice}”: give one of them another name.`;
  const counts = classes.map(
    ({ id }) => images.filter((image) => image.classId === id && image.problem === undefined).length,
  );
  const few = classes.filter((_, index) => (counts[index] as number) < 2).map(({ name }) => `“${name}”`);
  if (classes.length < 2) return 'Make at least two classes.';
  // One is judged while another is learnt from.
  if (few.length > 0) return `At least two images are needed of each class; add some to ${few.join(', ')}.`;
  return undefined;
}

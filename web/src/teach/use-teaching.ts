/** The state of the page and its worker: images are given to the network as they come. */
import { useCallback, useEffect, useMemo, useReducer, useRef } from 'react';
import type { Event, Request } from './messages.ts';
import { type OddImages, oddImages } from './odd-images.ts';
import { type Change, initial, obstacle, reduce, type Teaching, usable, waiting } from './teaching.ts';

export interface TeachingHook {
  readonly state: Teaching;
  readonly odd: OddImages;
  readonly ask: (request: Request) => void;
  readonly change: (change: Change) => void;
  /** Learns the classes, once the network has seen all images. */
  readonly train: () => void;
}

export function useTeaching(): TeachingHook {
  const [state, dispatch] = useReducer(reduce, initial);
  const worker = useRef<Worker>(undefined);
  /** Images that the network was given. */
  const given = useRef(new Set<number>());
  useEffect(() => {
    const created = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    created.addEventListener('message', ({ data }: MessageEvent<Event>) => {
      dispatch(data.kind === 'seen' ? { ...data, url: URL.createObjectURL(data.seen.thumbnail) } : data);
    });
    created.addEventListener('error', ({ message }) =>
      dispatch({ kind: 'failed', during: 'load', message: message || 'the worker could not be started' }),
    );
    worker.current = created;
    return () => created.terminate();
  }, []);
  const ask = useCallback((request: Request) => {
    if (request.kind === 'load') given.current.clear();
    dispatch({ kind: 'asked', request });
    worker.current?.postMessage(request);
  }, []);
  const { images, model, classes, training, revision } = state;
  useEffect(() => {
    if (!model) return;
    for (const { id, file } of images) {
      if (given.current.has(id)) continue;
      given.current.add(id);
      ask({ kind: 'see', id, file });
    }
  }, [images, model, ask]);
  const size = model?.description.preprocessing.size;
  const odd = useMemo(() => oddImages(images, size ?? [0, 0]), [images, size]);
  const left = waiting(images);
  const problem = obstacle(state);
  useEffect(() => {
    if (training !== 'waiting' || left > 0 || !model || problem !== undefined) return;
    const learnt = usable(images);
    const place = new Map(learnt.map(({ id }, index) => [id, index]));
    const groups = [...odd.copies, ...odd.contradictions].map((group) =>
      group.images.map(({ id }) => place.get(id) as number).sort((a, b) => a - b),
    );
    const label = new Map(classes.map(({ id }, index) => [id, index]));
    ask({
      kind: 'train',
      revision,
      classes: classes.map(({ name }) => name.trim()),
      images: learnt.map(({ id, classId }) => ({ id, label: label.get(classId) as number })),
      groups,
    });
  }, [training, left, model, problem, images, odd, classes, revision, ask]);
  useEffect(() => {
    if (images.length === 0) return;
    // The images live in this page alone.
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', warn);
    return () => removeEventListener('beforeunload', warn);
  }, [images.length]);
  return {
    state,
    odd,
    ask,
    change: dispatch,
    train: useCallback(() => dispatch({ kind: 'train when all are seen' }), []),
  };
}

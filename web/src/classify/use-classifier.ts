/** The worker's state for the page. */
import { useCallback, useEffect, useReducer, useRef } from 'react';
import type { Event, Inside, LoadedModel, Request, Result, Strongest } from './messages.ts';

export interface Saliency {
  readonly by: 'covering' | 'activation';
  readonly label: number;
  readonly cells: number;
  readonly done: number;
  readonly values: Float32Array;
  readonly elapsedMs: number;
}

export interface ClassifierState {
  readonly model: LoadedModel | undefined;
  readonly loading: { readonly done: number; readonly total: number } | 'starting' | undefined;
  readonly classifying: boolean;
  readonly result: Result | undefined;
  readonly saliency: Saliency | undefined;
  readonly explaining: boolean;
  readonly inside: Inside | undefined;
  /** The part that is being looked into. */
  readonly looking: string | undefined;
  readonly strongest: Strongest | undefined;
  /** The last map was stopped before it was complete. */
  readonly stopped: boolean;
  readonly error: { readonly during: Request['kind']; readonly message: string } | undefined;
}

const initial: ClassifierState = {
  model: undefined,
  loading: undefined,
  classifying: false,
  result: undefined,
  saliency: undefined,
  explaining: false,
  inside: undefined,
  looking: undefined,
  strongest: undefined,
  stopped: false,
  error: undefined,
};

function reduce(state: ClassifierState, event: Event | { kind: 'asked'; request: Request }): ClassifierState {
  switch (event.kind) {
    case 'asked':
      return { ...state, ...stateAfter(event.request, state) };
    case 'progress':
      return { ...state, loading: { done: event.done, total: event.total } };
    case 'starting':
      return { ...state, loading: 'starting' };
    case 'loaded':
      return { ...state, loading: undefined, model: event.model };
    case 'result':
      return { ...state, classifying: false, result: event.result, error: undefined };
    case 'saliency': {
      // A message that was in flight when Stop was pressed.
      if (!state.explaining) return state;
      const { kind: _, ...saliency } = event;
      return { ...state, saliency, explaining: event.done < event.values.length };
    }
    case 'inside':
      return { ...state, inside: event.inside, looking: undefined };
    case 'strongest':
      return { ...state, strongest: event.strongest };
    case 'failed':
      return {
        ...state,
        loading: undefined,
        classifying: false,
        explaining: false,
        looking: undefined,
        // An image queued for a model that failed to load adds nothing to that error.
        error:
          state.error?.during === 'load' && event.during === 'classify'
            ? state.error
            : { during: event.during, message: event.message },
      };
  }
}

function stateAfter(request: Request, { explaining }: ClassifierState): Partial<ClassifierState> {
  const reset = { error: undefined, explaining: false, stopped: false };
  switch (request.kind) {
    case 'load':
      return {
        ...reset,
        model: undefined,
        result: undefined,
        saliency: undefined,
        inside: undefined,
        strongest: undefined,
        looking: undefined,
        loading: { done: 0, total: 1 },
      };
    case 'classify':
      return { explaining: false, stopped: false, classifying: true, saliency: undefined, inside: undefined };
    case 'saliency':
      return { ...reset, saliency: undefined, explaining: true };
    case 'stop saliency':
      return { ...reset, stopped: true };
    case 'inside':
      // A map in progress ends with any other request.
      return { error: undefined, stopped: explaining, explaining: false, looking: request.part };
    case 'strongest':
      return { error: undefined, stopped: explaining, explaining: false, strongest: undefined };
  }
}

export function useClassifier(): { state: ClassifierState; ask: (request: Request) => void } {
  const [state, dispatch] = useReducer(reduce, initial);
  const worker = useRef<Worker>(undefined);
  useEffect(() => {
    const created = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    created.addEventListener('message', ({ data }: MessageEvent<Event>) => dispatch(data));
    created.addEventListener('error', ({ message }) =>
      dispatch({ kind: 'failed', during: 'load', message: message || 'the worker could not be started' }),
    );
    worker.current = created;
    return () => created.terminate();
  }, []);
  const ask = useCallback((request: Request) => {
    dispatch({ kind: 'asked', request });
    worker.current?.postMessage(request);
  }, []);
  return { state, ask };
}

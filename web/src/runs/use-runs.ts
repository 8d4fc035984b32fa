/** The runs and their lines, updated by server-sent events. */
import { useEffect, useRef, useState } from 'react';
import type { RunList } from '../../../src/dashboard/api.ts';
import { fetchLines, fetchRuns, type Lines, NoServerError } from './api.ts';

export type Connection = 'connecting' | 'live' | 'lost' | 'none';

export interface Runs {
  readonly list: RunList | undefined;
  readonly connection: Connection;
  /** Incremented on every event; triggers reloading of everything read from the server. */
  readonly version: number;
}

export function useRuns(): Runs {
  const [list, setList] = useState<RunList>();
  const [connection, setConnection] = useState<Connection>('connecting');
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    let source: EventSource | undefined;
    const load = async () => {
      setList(await fetchRuns(controller.signal));
      setVersion((previous) => previous + 1);
    };
    const begin = async () => {
      await load();
      source = new EventSource('./api/events');
      source.addEventListener('open', () => setConnection('live'));
      source.addEventListener('error', () => setConnection('lost'));
      // The browser reconnects by itself; whatever changed in between is then loaded.
      source.addEventListener('open', () => void load().catch(() => undefined));
      source.addEventListener('changed', () => void load().catch(() => setConnection('lost')));
    };
    begin().catch((error) => {
      if (!controller.signal.aborted) setConnection(error instanceof NoServerError ? 'none' : 'lost');
    });
    return () => {
      controller.abort();
      source?.close();
    };
  }, []);
  return { list, connection, version };
}

const noLines: Lines = { metrics: [], next: 0 };

/** The lines of the chosen runs. */
export function useLines(ids: readonly string[], version: number): ReadonlyMap<string, Lines> {
  const [lines, setLines] = useState<ReadonlyMap<string, Lines>>(new Map());
  const loaded = useRef(lines);
  const key = ids.join('\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: every version loads what is new
  useEffect(() => {
    const controller = new AbortController();
    const load = async () => {
      const names = key === '' ? [] : key.split('\n');
      const entries = await Promise.all(
        names.map(async (id) => {
          const previous = loaded.current.get(id) ?? noLines;
          // A run whose file cannot be read leaves the others as they are; its line of the list says why.
          return [
            id,
            await fetchLines(id, previous, controller.signal).catch((error: Error) => ({
              ...previous,
              problem: error instanceof NoServerError ? undefined : error.message,
            })),
          ] as const;
        }),
      );
      if (controller.signal.aborted) return;
      loaded.current = new Map([...loaded.current, ...entries]);
      setLines(loaded.current);
    };
    // The next event retries.
    load().catch(() => undefined);
    return () => controller.abort();
  }, [key, version]);
  return lines;
}

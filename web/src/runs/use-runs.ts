/** The runs and their lines, kept up to date by server-sent events. */
import { useEffect, useRef, useState } from 'react';
import type { RunList } from '../../../src/dashboard/api.ts';
import { fetchLines, fetchRuns, type Lines, NoServerError } from './api.ts';

export type Connection = 'connecting' | 'live' | 'lost' | 'none';

export interface Runs {
  readonly list: RunList | undefined;
  readonly connection: Connection;
  /** Grows with every event; what depends on the server's files asks again. */
  readonly version: number;
}

export function useRuns(): Runs {
  const [list, setList] = useState<RunList>();
  const [connection, setConnection] = useState<Connection>('connecting');
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const ended = new AbortController();
    let source: EventSource | undefined;
    const load = async () => {
      setList(await fetchRuns(ended.signal));
      setVersion((before) => before + 1);
    };
    const begin = async () => {
      await load();
      source = new EventSource('./api/events');
      source.addEventListener('open', () => setConnection('live'));
      source.addEventListener('error', () => setConnection('lost'));
      // After a loss the browser connects again by itself; what happened between is asked for.
      source.addEventListener('open', () => void load().catch(() => undefined));
      source.addEventListener('changed', () => void load().catch(() => setConnection('lost')));
    };
    begin().catch((error) => {
      if (!ended.signal.aborted) setConnection(error instanceof NoServerError ? 'none' : 'lost');
    });
    return () => {
      ended.abort();
      source?.close();
    };
  }, []);
  return { list, connection, version };
}

const nothing: Lines = { metrics: [], next: 0 };

/** The lines of the chosen runs. */
export function useLines(ids: readonly string[], version: number): ReadonlyMap<string, Lines> {
  const [lines, setLines] = useState<ReadonlyMap<string, Lines>>(new Map());
  const known = useRef(lines);
  const key = ids.join('\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: every version asks for what is new
  useEffect(() => {
    const ended = new AbortController();
    const load = async () => {
      const wanted = key === '' ? [] : key.split('\n');
      const entries = await Promise.all(
        wanted.map(
          async (id) => [id, await fetchLines(id, known.current.get(id) ?? nothing, ended.signal)] as const,
        ),
      );
      if (ended.signal.aborted) return;
      known.current = new Map([...known.current, ...entries]);
      setLines(known.current);
    };
    // The next event tries again.
    load().catch(() => undefined);
    return () => ended.abort();
  }, [key, version]);
  return lines;
}

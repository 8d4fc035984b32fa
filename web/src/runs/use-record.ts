/** A record of a run that is one file, such as its last evaluation. */
import { useEffect, useState } from 'react';
import { NoServerError } from './api.ts';

interface Fetching<R> {
  readonly id: string;
  /** Every version may have a new record. */
  readonly version: number;
  /** The same record fetched again does not update the page. */
  readonly isSame?: (previous: R, next: R) => boolean;
}

/** The record, undefined for none, and why it cannot be read. A lost server is told elsewhere on the page. */
export function useRecord<R>(
  fetchRecord: (id: string, signal: AbortSignal) => Promise<R | undefined>,
  { id, version, isSame }: Fetching<R>,
): { readonly record: R | undefined; readonly problem: string | undefined } {
  const [record, setRecord] = useState<R>();
  const [problem, setProblem] = useState<string>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: every version may have a new record
  useEffect(() => {
    const controller = new AbortController();
    fetchRecord(id, controller.signal)
      .then((next) => {
        setRecord((previous) => (previous && next && isSame?.(previous, next) ? previous : next));
        setProblem(undefined);
      })
      .catch((error: Error) => {
        if (!controller.signal.aborted && !(error instanceof NoServerError)) setProblem(error.message);
      });
    return () => controller.abort();
  }, [id, version]);
  return { record, problem };
}

/** What the dashboard's server knows, fetched. */
import type { MetricsPart, RunList } from '../../../src/dashboard/api.ts';
import type { EvaluationRecord, Metrics } from '../../../src/train/records.ts';

/** Nobody answers, or a web host that has no such thing: the page was not opened by `inception dashboard`. */
export class NoServerError extends Error {
  override name = 'NoServerError';
}

/** Asks for JSON. Undefined for what is not there. @throws NoServerError */
export async function fetchJson<T>(path: string, signal?: AbortSignal): Promise<T | undefined> {
  let response: Response;
  try {
    response = await fetch(`./api/${path}`, { cache: 'no-store', ...(signal && { signal }) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new NoServerError('the dashboard does not answer', { cause: error });
  }
  // A plain web host answers with a page of its own.
  if (!response.headers.get('content-type')?.startsWith('application/json'))
    throw new NoServerError(`${response.status}: not a dashboard`);
  if (response.status === 404) return undefined;
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ?? `${response.status}`);
  return body as T;
}

export const fetchRuns = async (signal: AbortSignal): Promise<RunList> =>
  (await fetchJson<RunList>('runs', signal)) ?? { runs: [], broken: [] };

export const fetchEvaluation = async (
  id: string,
  signal: AbortSignal,
): Promise<EvaluationRecord | undefined> =>
  (await fetchJson<EvaluationRecord | null>(`runs/${encodeURIComponent(id)}/evaluation`, signal)) ??
  undefined;

/** A run's lines as far as they are known, and where the next ones begin. */
export interface Lines {
  readonly metrics: readonly Metrics[];
  readonly next: number;
}

/** The lines with those that came since; from the beginning where the run was cut. */
export async function fetchLines(id: string, before: Lines, signal: AbortSignal): Promise<Lines> {
  const part = await fetchJson<MetricsPart>(
    `runs/${encodeURIComponent(id)}/metrics?from=${before.next}`,
    signal,
  );
  if (!part) return { metrics: [], next: 0 };
  if (part.continues && part.metrics.length === 0) return before;
  return {
    metrics: part.continues ? [...before.metrics, ...part.metrics] : part.metrics,
    next: part.next,
  };
}

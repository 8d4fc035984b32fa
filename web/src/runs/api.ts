/** Fetches the dashboard's data from its server. */
import type { AboutRun, MetricsPart, Notes, RunList } from '../../../src/dashboard/api.ts';
import type { EvaluationRecord, LabelsRecord, Metrics } from '../../../src/train/run/records.ts';

/** No dashboard server: nothing responds, or the page comes from a static web host. */
export class NoServerError extends Error {
  override name = 'NoServerError';
}

/** Fetches JSON; undefined if not found. @throws NoServerError */
export async function fetchJson<T>(path: string, signal?: AbortSignal): Promise<T | undefined> {
  let response: Response;
  try {
    response = await fetch(`./api/${path}`, { cache: 'no-store', ...(signal && { signal }) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new NoServerError('the dashboard does not respond', { cause: error });
  }
  // A static web host responds with an HTML page.
  if (!response.headers.get('content-type')?.startsWith('application/json'))
    throw new NoServerError(`${response.status}: not a dashboard`);
  if (response.status === 404) return undefined;
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ?? `${response.status}`);
  return body as T;
}

export const fetchRuns = async (signal: AbortSignal): Promise<RunList> =>
  (await fetchJson<RunList>('runs', signal)) ?? { runs: [], experiments: [], broken: [] };

export const fetchEvaluation = async (
  id: string,
  signal: AbortSignal,
): Promise<EvaluationRecord | undefined> =>
  (await fetchJson<EvaluationRecord | null>(`runs/${encodeURIComponent(id)}/evaluation`, signal)) ??
  undefined;

export const fetchAbout = (id: string, signal: AbortSignal): Promise<AboutRun | undefined> =>
  fetchJson<AboutRun>(`runs/${encodeURIComponent(id)}/about`, signal);

export const fetchLabels = async (id: string, signal: AbortSignal): Promise<LabelsRecord | undefined> =>
  (await fetchJson<LabelsRecord | null>(`runs/${encodeURIComponent(id)}/labels`, signal)) ?? undefined;

export const fetchNotes = async (id: string, signal: AbortSignal): Promise<Notes | undefined> =>
  (await fetchJson<Notes | null>(`runs/${encodeURIComponent(id)}/notes`, signal)) ?? undefined;

/** The lines of a run loaded so far, and the byte offset of the next ones. */
export interface Lines {
  readonly metrics: readonly Metrics[];
  readonly next: number;
  /** Why the file cannot be read any further. */
  readonly problem?: string | undefined;
}

/** Appends new lines, or starts over if the run was restarted. */
export async function fetchLines(id: string, previous: Lines, signal: AbortSignal): Promise<Lines> {
  const part = await fetchJson<MetricsPart>(
    `runs/${encodeURIComponent(id)}/metrics?from=${previous.next}`,
    signal,
  );
  if (!part) return { metrics: [], next: 0 };
  if (part.continues && part.metrics.length === 0 && previous.problem === undefined) return previous;
  return {
    metrics: part.continues ? [...previous.metrics, ...part.metrics] : part.metrics,
    next: part.next,
  };
}

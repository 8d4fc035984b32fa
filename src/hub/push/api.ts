/** Requests that change a repository of the hub, by the HTTP API that huggingface_hub uses (its hf_api.py and lfs.py). */
import {
  type HubPatience,
  hubPatience,
  overNetwork,
  retry,
  secureUrl,
  TemporaryError,
  userAgent,
  watch,
} from '../request.ts';
import { HubError, type HubSettings } from '../settings.ts';

/** A repository that files go to. */
export interface PushTarget {
  readonly repository: string;
  /** A branch. */
  readonly revision: string;
  readonly settings: HubSettings & { readonly token: string };
  readonly signal?: AbortSignal | undefined;
  readonly patience?: Partial<HubPatience> | undefined;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Relative to the endpoint, or whole. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Blob;
  /** What is done, for messages: `creating the repository`. */
  readonly doing: string;
  /** Statuses that are not errors here. */
  readonly accept?: readonly number[];
  /** Repeating it would not be the same as doing it once. */
  readonly once?: boolean;
}

/** Slower uploads count as stalled: they would take a day for a model. */
const leastBytesPerSecond = 20_000;

export const json = (value: unknown, type = 'application/json') => ({
  body: JSON.stringify(value),
  headers: { 'content-type': type },
});

/**
 * Sends a request and repeats it after temporary failures. Only the endpoint gets the token.
 * @throws HubError saying what was done, to which repository, and what the status means
 */
export async function send(target: PushTarget, request: ApiRequest): Promise<Response> {
  const { signal } = target;
  const patience = { ...hubPatience, ...target.patience };
  const tries = request.once ? 1 : patience.tries;
  return retry(() => attempt(target, request, patience), { patience: { ...patience, tries }, signal });
}

async function attempt(
  { repository, settings, signal }: PushTarget,
  { method, url: path, headers, body, doing, accept = [] }: ApiRequest,
  patience: HubPatience,
): Promise<Response> {
  const label = `hub:${repository}: ${doing}`;
  const { endpoint, token } = settings;
  const url = secureUrl(path.startsWith('/') ? `${endpoint}${path}` : path, new URL(endpoint), label);
  const size = typeof body === 'string' ? body.length : (body?.size ?? 0);
  const milliseconds = patience.stallMs + (1000 * size) / leastBytesPerSecond;
  const watcher = watch(milliseconds, { label, outer: signal });
  try {
    const own = url.origin === new URL(endpoint).origin;
    const sending = fetch(url, {
      method,
      headers: { 'user-agent': userAgent, ...(own && { authorization: `Bearer ${token}` }), ...headers },
      ...(body !== undefined && { body }),
      signal: watcher.signal,
      redirect: 'manual',
    });
    const response = await overNetwork(`${label}: ${url.host}`, sending, watcher.signal);
    if (response.ok || accept.includes(response.status)) return response;
    throw await failure(response, { label, own, host: url.host });
  } finally {
    watcher.stop();
  }
}

async function failure(
  response: Response,
  { label, own, host }: { label: string; own: boolean; host: string },
): Promise<HubError> {
  const { status, headers } = response;
  const text = await response.text().catch(() => '');
  const told = (headers.get('x-error-message') ?? messageIn(text))?.slice(0, 300);
  const because = told ? `: ${told}` : '';
  if (status === 429 || status >= 500)
    return new TemporaryError(`${label}: ${host} responded ${status}${because}`);
  if (status >= 300 && status < 400)
    return new HubError(
      `${label}: ${host} answers that it is at ${headers.get('location') ?? 'another place'} now; push to its new name`,
    );
  const meaning = own ? meanings[status] : undefined;
  return new HubError(`${label}: ${meaning ?? `${host} responded ${status}`}${because}`);
}

const meanings: Readonly<Record<number, string>> = {
  401: 'the hub does not know the token sent (HF_TOKEN or the file of HF_TOKEN_PATH)',
  403: 'the token sent (HF_TOKEN or the file of HF_TOKEN_PATH) may not write there; it needs write access to this owner',
  404: 'there is no such repository or branch that the token may write to',
  412: 'someone else has changed the repository in the meantime; push again',
};

function messageIn(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === 'string' ? error : undefined;
  } catch {
    return undefined;
  }
}

/** The body of an answer, which must be JSON. @throws HubError */
export async function answerOf(response: Response, { repository }: PushTarget): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    throw new HubError(
      `hub:${repository}: ${new URL(response.url).host} did not answer in JSON; is HF_ENDPOINT the address of a hub?`,
      { cause: error },
    );
  }
}

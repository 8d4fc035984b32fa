/** Requests to the hub: who may see the token, which redirects are followed, what a failure means, when to try again. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { HubError, type HubSettings } from './settings.ts';

export interface HubPatience {
  /** Tries in a row that get no further. */
  readonly tries: number;
  /** Before the second try; twice as long before each one after it. */
  readonly firstDelayMs: number;
  /** The most that a server may ask to wait. */
  readonly mostDelayMs: number;
  /** A transfer that brings no byte for so long is broken. */
  readonly stallMs: number;
  /** For an answer without a body. */
  readonly answerMs: number;
  readonly wait: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
}

export const hubPatience: HubPatience = {
  tries: 5,
  firstDelayMs: 1000,
  mostDelayMs: 60_000,
  stallMs: 30_000,
  answerMs: 10_000,
  wait: async (milliseconds, signal) => {
    await sleep(milliseconds, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
  },
};

/** What is asked for, for messages. */
export interface HubRequest {
  readonly repository: string;
  readonly revision: string;
  readonly file: string;
  readonly settings: HubSettings;
  readonly signal?: AbortSignal | undefined;
}

export const describe = ({ repository, revision, file }: HubRequest): string =>
  `hub:${repository}@${revision}: ${file}`;

/** A failure that may pass. */
export class PassingError extends HubError {
  readonly retryAfterMs: number | undefined;
  /** The try got further than all before it, and so does not count as one in vain. */
  readonly advanced: boolean;

  constructor(
    message: string,
    {
      retryAfterMs,
      advanced = false,
      cause,
    }: { retryAfterMs?: number | undefined; advanced?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.retryAfterMs = retryAfterMs;
    this.advanced = advanced;
  }
}

/** The repository has no such file. */
export class EntryNotFoundError extends HubError {
  readonly commit: string | undefined;

  constructor(message: string, commit: string | undefined) {
    super(message);
    this.commit = commit;
  }
}

/** Tries again while failures may pass. @throws PassingError after the last try in vain; any other error at once. */
export async function persist<T>(
  attempt: () => Promise<T>,
  { patience, signal }: { patience: HubPatience; signal: AbortSignal | undefined },
): Promise<T> {
  for (let inVain = 0; ; ) {
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof PassingError)) throw error;
      inVain = error.advanced ? 1 : inVain + 1;
      if (inVain >= patience.tries) {
        const tries = patience.tries === 1 ? '' : ` (tried ${patience.tries} times)`;
        throw new PassingError(`${error.message}${tries}`, { cause: error });
      }
      const backoffMs = patience.firstDelayMs * 2 ** (inVain - 1);
      await patience.wait(Math.min(error.retryAfterMs ?? backoffMs, patience.mostDelayMs), signal);
    }
  }
}

/** A signal that fires when nothing has happened for a while, or when the caller's does. */
export function watch(
  milliseconds: number,
  { asked, outer }: { asked: string; outer: AbortSignal | undefined },
): { signal: AbortSignal; touch: () => void; stop: () => void } {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new PassingError(`${asked}: nothing arrived for ${milliseconds / 1000} s`)),
    milliseconds,
  );
  return {
    signal: outer ? AbortSignal.any([controller.signal, outer]) : controller.signal,
    touch: () => timer.refresh(),
    stop: () => clearTimeout(timer),
  };
}

/** @throws the caller's reason if it has given up, otherwise PassingError: a network that fails may come back. */
export async function overNetwork<T>(asked: string, promise: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    signal.throwIfAborted();
    const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
    const reason = cause?.code ?? cause?.message ?? message;
    throw new PassingError(`${asked}: the connection failed (${reason})`, { cause: error });
  }
}

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export const resolveUrl = ({ repository, revision, file, settings }: HubRequest): URL => {
  const path = file.split('/').map(encodeURIComponent).join('/');
  return new URL(`${settings.endpoint}/${repository}/resolve/${encodeURIComponent(revision)}/${path}`);
};

export interface Answer {
  readonly response: Response;
  /** Where the last redirect led. */
  readonly url: URL;
  /** The last value on the way that has this header. */
  header(name: string): string | null;
}

const mostRedirects = 10;

export interface FollowOptions {
  readonly method: 'HEAD' | 'GET';
  readonly signal: AbortSignal;
  /** For the address that a redirect led to. */
  readonly headers?: (url: URL) => Readonly<Record<string, string>>;
  /** A redirect for which this is false is itself the answer. */
  readonly goOn?: (response: Response, next: URL) => boolean;
}

/** Asks for the file, and where redirects lead; only the endpoint itself gets the token. */
export async function follow(request: HubRequest, options: FollowOptions): Promise<Answer> {
  const asked = describe(request);
  const passed: Response[] = [];
  let url = resolveUrl(request);
  for (;;) {
    const headers = { ...ownHeaders(url, request.settings), ...options.headers?.(url) };
    const { method, signal } = options;
    const sent = fetch(url, { method, headers, signal, redirect: 'manual' });
    const response = await overNetwork(`${asked}: ${url.host}`, sent, signal);
    passed.unshift(response);
    const next = redirectOf(response, url, asked);
    if (!next || options.goOn?.(response, next) === false) {
      const header = (name: string) =>
        passed.find(({ headers: each }) => each.has(name))?.headers.get(name) ?? null;
      return { response, url, header };
    }
    await response.body?.cancel();
    if (passed.length > mostRedirects) throw new HubError(`${asked}: more than ${mostRedirects} redirects`);
    url = next;
  }
}

/** Compressed, a file would be neither of its size nor resumable. */
function ownHeaders(url: URL, { endpoint, token }: HubSettings): Record<string, string> {
  const headers = { 'user-agent': `inception/${version}`, 'accept-encoding': 'identity' };
  const own = url.origin === new URL(endpoint).origin;
  return own && token !== undefined ? { ...headers, authorization: `Bearer ${token}` } : headers;
}

function redirectOf(response: Response, from: URL, asked: string): URL | undefined {
  const location = response.headers.get('location');
  if (response.status < 300 || response.status > 399 || location === null) return undefined;
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const secure = to?.protocol === 'https:' || (to?.protocol === 'http:' && from.protocol === 'http:');
  if (!to || !secure)
    throw new HubError(`${asked}: ${from.host} redirects to '${location}', which is not followed`);
  return to;
}

/** Throws what the status means, unless it is a success or a redirect. */
export function checkStatus(request: HubRequest, { response, url, header }: Answer): void {
  const { status } = response;
  if (status < 400) return;
  const asked = describe(request);
  if (status === 429 || status >= 500) {
    const retryAfterMs = readRetryAfter(response.headers.get('retry-after'));
    throw new PassingError(`${asked}: ${url.host} answered ${status}`, { retryAfterMs });
  }
  const code = response.headers.get('x-error-code') ?? '';
  if (url.origin !== new URL(request.settings.endpoint).origin)
    throw new HubError(`${asked}: ${url.host}, where the hub keeps the file, answered ${status}`);
  const exact = [`${status} ${code}`, code, `${status}`].find((key) => Object.hasOwn(explanations, key));
  const explain = exact === undefined ? undefined : explanations[exact];
  const message = `${asked}: ${explain?.(request) ?? `${url.host} answered ${status}`}`;
  if (code === 'EntryNotFound') throw new EntryNotFoundError(message, header('x-repo-commit') ?? undefined);
  throw new HubError(message);
}

const page = ({ settings, repository }: HubRequest): string => `${settings.endpoint}/${repository}`;

const tokenAdvice = ({ settings }: HubRequest): string =>
  settings.token === undefined
    ? 'set HF_TOKEN to a token that may read it'
    : 'the token that was sent (HF_TOKEN or the file of HF_TOKEN_PATH) may not read it';

type Explain = (request: HubRequest) => string;

const noSuchFile: Explain = ({ repository, revision, file }) =>
  `the repository '${repository}' has no file '${file}' at the revision '${revision}'`;

/** By status and X-Error-Code, the most exact one first. To those without a token the hub denies a private repository. */
const explanations: Readonly<Record<string, Explain>> = {
  '401 RepoNotFound': (request) =>
    `there is no repository '${request.repository}' at ${request.settings.endpoint}, or it is private: ${tokenAdvice(request)}`,
  RepoNotFound: ({ repository, settings }) =>
    `there is no repository '${repository}' at ${settings.endpoint} that may be seen${settings.token === undefined ? '; a private one needs HF_TOKEN' : ' with this token'}`,
  RevisionNotFound: ({ repository, revision }) =>
    `the repository '${repository}' has no branch, tag or commit '${revision}'`,
  EntryNotFound: noSuchFile,
  GatedRepo: (request) =>
    `the repository is gated: accept its licence at ${page(request)}, then ${tokenAdvice(request)}`,
  401: (request) => `access denied (401): ${tokenAdvice(request)}`,
  403: (request) =>
    `access denied (403): accept the licence at ${page(request)} if it asks for it, then ${tokenAdvice(request)}`,
  404: ({ repository, revision, file }) =>
    `not found (404): the repository '${repository}', its revision '${revision}' or the file '${file}'`,
};

/** Seconds or a date. */
function readRetryAfter(text: string | null): number | undefined {
  if (text === null) return undefined;
  const milliseconds = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}

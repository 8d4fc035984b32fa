/** Requests to the hub: who receives the token, which redirects are followed, what a failure means, when to retry. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { HubError, type HubSettings } from './settings.ts';

export interface HubPatience {
  /** Consecutive tries without progress. */
  readonly tries: number;
  /** Delay before the second try; doubled before each further one. */
  readonly firstDelayMs: number;
  /** Maximum delay that a server may ask for. */
  readonly maxDelayMs: number;
  /** A transfer that receives no byte for so long is aborted. */
  readonly stallMs: number;
  /** Timeout of a response without a body. */
  readonly answerMs: number;
  readonly wait: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
}

export const hubPatience: HubPatience = {
  tries: 5,
  firstDelayMs: 1000,
  maxDelayMs: 60_000,
  stallMs: 30_000,
  answerMs: 10_000,
  wait: async (milliseconds, signal) => {
    await sleep(milliseconds, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
  },
};

/** The requested file. */
export interface HubRequest {
  readonly repository: string;
  readonly revision: string;
  readonly file: string;
  readonly settings: HubSettings;
  readonly signal?: AbortSignal | undefined;
}

export const describe = ({ repository, revision, file }: HubRequest): string =>
  `hub:${repository}@${revision}: ${file}`;

/** A temporary failure, worth a retry. */
export class TemporaryError extends HubError {
  readonly retryAfterMs: number | undefined;
  /** The try made progress, so that it does not count towards the limit. */
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

/** Retries temporary failures. @throws TemporaryError after the last try without progress; any other error at once. */
export async function retry<T>(
  attempt: () => Promise<T>,
  { patience, signal }: { patience: HubPatience; signal: AbortSignal | undefined },
): Promise<T> {
  for (let failures = 0; ; ) {
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof TemporaryError)) throw error;
      failures = error.advanced ? 1 : failures + 1;
      if (failures >= patience.tries) {
        const tries = patience.tries === 1 ? '' : ` (tried ${patience.tries} times)`;
        throw new TemporaryError(`${error.message}${tries}`, { cause: error });
      }
      const backoffMs = patience.firstDelayMs * 2 ** (failures - 1);
      await patience.wait(Math.min(error.retryAfterMs ?? backoffMs, patience.maxDelayMs), signal);
    }
  }
}

/** A signal that fires when nothing has happened for a while, or when the outer signal does. */
export function watch(
  milliseconds: number,
  { label, outer }: { label: string; outer: AbortSignal | undefined },
): { signal: AbortSignal; touch: () => void; stop: () => void } {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new TemporaryError(`${label}: nothing arrived for ${milliseconds / 1000} s`)),
    milliseconds,
  );
  return {
    signal: outer ? AbortSignal.any([controller.signal, outer]) : controller.signal,
    touch: () => timer.refresh(),
    stop: () => clearTimeout(timer),
  };
}

/** @throws the signal's reason if it has fired, otherwise TemporaryError: network failures may be temporary. */
export async function overNetwork<T>(label: string, promise: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    signal.throwIfAborted();
    const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
    const reason = cause?.code ?? cause?.message ?? message;
    throw new TemporaryError(`${label}: the connection failed (${reason})`, { cause: error });
  }
}

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export const userAgent = `inception/${version}`;

export const resolveUrl = ({ repository, revision, file, settings }: HubRequest): URL => {
  const path = file.split('/').map(encodeURIComponent).join('/');
  return new URL(`${settings.endpoint}/${repository}/resolve/${encodeURIComponent(revision)}/${path}`);
};

export interface HubResponse {
  readonly response: Response;
  /** URL after the last redirect. */
  readonly url: URL;
  /** Value of a header, from the last response in the chain of redirects that has it. */
  header(name: string): string | null;
}

const maxRedirects = 10;

export interface FollowOptions {
  readonly method: 'HEAD' | 'GET';
  readonly signal: AbortSignal;
  /** Additional headers for a URL in the chain of redirects. */
  readonly headers?: (url: URL) => Readonly<Record<string, string>>;
  /** If false for a redirect, the redirect itself is the result. */
  readonly shouldFollow?: (response: Response, next: URL) => boolean;
}

/** Requests the file and follows redirects; only the endpoint itself receives the token. */
export async function follow(request: HubRequest, options: FollowOptions): Promise<HubResponse> {
  const label = describe(request);
  const chain: Response[] = [];
  let url = resolveUrl(request);
  for (;;) {
    const headers = { ...baseHeaders(url, request.settings), ...options.headers?.(url) };
    const { method, signal } = options;
    const sending = fetch(url, { method, headers, signal, redirect: 'manual' });
    const response = await overNetwork(`${label}: ${url.host}`, sending, signal);
    chain.unshift(response);
    const next = redirectOf(response, url, label);
    if (!next || options.shouldFollow?.(response, next) === false) {
      const header = (name: string) =>
        chain.find(({ headers: candidate }) => candidate.has(name))?.headers.get(name) ?? null;
      return { response, url, header };
    }
    await response.body?.cancel();
    if (chain.length > maxRedirects) throw new HubError(`${label}: more than ${maxRedirects} redirects`);
    url = next;
  }
}

/** Compression is declined, because compressed bytes have neither the file's size nor resumable ranges. */
function baseHeaders(url: URL, { endpoint, token }: HubSettings): Record<string, string> {
  const headers = { 'user-agent': userAgent, 'accept-encoding': 'identity' };
  const isEndpoint = url.origin === new URL(endpoint).origin;
  return isEndpoint && token !== undefined ? { ...headers, authorization: `Bearer ${token}` } : headers;
}

function redirectOf(response: Response, origin: URL, label: string): URL | undefined {
  const location = response.headers.get('location');
  if (response.status < 300 || response.status > 399 || location === null) return undefined;
  return secureUrl(location, origin, label);
}

/** Where a server sends us: never from a secure address to an insecure one. @throws HubError */
export function secureUrl(location: string, origin: URL, label: string): URL {
  const target = URL.canParse(location, origin.href) ? new URL(location, origin) : undefined;
  const secure =
    target?.protocol === 'https:' || (target?.protocol === 'http:' && origin.protocol === 'http:');
  if (!target || !secure)
    throw new HubError(`${label}: ${origin.host} redirects to '${location}', which is not allowed`);
  return target;
}

/** Throws the error that the status stands for, unless it is a success or a redirect. */
export function checkStatus(request: HubRequest, { response, url, header }: HubResponse): void {
  const { status } = response;
  if (status < 400) return;
  const label = describe(request);
  if (status === 429 || status >= 500) {
    const retryAfterMs = readRetryAfter(response.headers.get('retry-after'));
    throw new TemporaryError(`${label}: ${url.host} responded ${status}`, { retryAfterMs });
  }
  const code = response.headers.get('x-error-code') ?? '';
  if (url.origin !== new URL(request.settings.endpoint).origin)
    throw new HubError(`${label}: ${url.host}, where the hub stores the file, responded ${status}`);
  const exact = [`${status} ${code}`, code, `${status}`].find((key) => Object.hasOwn(explanations, key));
  const explain = exact === undefined ? undefined : explanations[exact];
  const message = `${label}: ${explain?.(request) ?? `${url.host} responded ${status}`}`;
  if (code === 'EntryNotFound') throw new EntryNotFoundError(message, header('x-repo-commit') ?? undefined);
  throw new HubError(message);
}

const page = ({ settings, repository }: HubRequest): string => `${settings.endpoint}/${repository}`;

const tokenAdvice = ({ settings }: HubRequest): string =>
  settings.token === undefined
    ? 'set HF_TOKEN to a token with read access'
    : 'the token sent (HF_TOKEN or the file of HF_TOKEN_PATH) has no access';

type Explain = (request: HubRequest) => string;

const noSuchFile: Explain = ({ repository, revision, file }) =>
  `the repository '${repository}' has no file '${file}' at the revision '${revision}'`;

/** By status and X-Error-Code, most specific first. Without a token the hub reports a private repository as missing. */
const explanations: Readonly<Record<string, Explain>> = {
  '401 RepoNotFound': (request) =>
    `no repository '${request.repository}' at ${request.settings.endpoint}, or it is private: ${tokenAdvice(request)}`,
  RepoNotFound: ({ repository, settings }) =>
    `no accessible repository '${repository}' at ${settings.endpoint}${settings.token === undefined ? '; a private one needs HF_TOKEN' : ' with this token'}`,
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

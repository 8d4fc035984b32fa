/**
 * A local hub that behaves like huggingface.co: small files after a relative redirect, large ones from a store on another
 * port that refuses tokens, errors with X-Error-Code; with faults injected by tests.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerPut, answerWrite, type WritableHub, type Writing } from './hub-writes.ts';

export interface ServedFile {
  readonly body: Uint8Array;
  /** Served from the store, by its sha256. */
  readonly large?: boolean;
  /** The ETag or X-Linked-Etag header; by default `"<git's hash>"` or `"<sha256>"`. */
  readonly etag?: string;
}

export interface ServedRepository {
  /** 40 hexadecimal digits. Every branch points to it. */
  readonly commit: string;
  readonly branches?: readonly string[];
  readonly files: Readonly<Record<string, ServedFile>>;
  /** Only requests with this token see the repository. */
  readonly token?: string;
  /** The licence has not been accepted. */
  readonly gated?: boolean;
}

/** A fault in the next matching request. */
export interface Fault {
  readonly method?: 'HEAD' | 'GET' | 'POST' | 'PUT';
  /** A part of the path. */
  readonly path?: string;
  readonly server?: 'hub' | 'store';
  /** Number of requests. Default 1. */
  readonly times?: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Closes the connection after this many bytes. */
  readonly breakAfter?: number;
  /** Stalls after this many bytes. */
  readonly stallAfter?: number;
  /** Answers a range request with 200 and the whole file. */
  readonly ignoreRange?: boolean;
  /** Sent instead of the file's bytes. */
  readonly body?: Uint8Array;
}

export interface ServedRequest {
  readonly server: 'hub' | 'store';
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

export interface HubServer {
  /** For HF_ENDPOINT. */
  readonly endpoint: string;
  /** As they are now. */
  readonly repositories: Readonly<Record<string, ServedRepository>>;
  readonly requests: readonly ServedRequest[];
  fail(fault: Fault): void;
  close(): Promise<void>;
}

export const sha256 = (body: Uint8Array): string => createHash('sha256').update(body).digest('hex');

/** Git's hash of a file. */
export const gitHash = (body: Uint8Array): string =>
  createHash('sha1').update(`blob ${body.length}\0`).update(body).digest('hex');

export interface HubServerOptions {
  readonly repositories: Readonly<Record<string, ServedRepository>>;
  /** `/mirror`: the endpoint is not at the root of its host. */
  readonly prefix?: string;
  /** Without it the hub cannot be written to. */
  readonly writing?: Writing;
}

export async function startHub({
  repositories: given,
  prefix = '',
  writing,
}: HubServerOptions): Promise<HubServer> {
  const requests: ServedRequest[] = [];
  const faults: { fault: Fault; left: number }[] = [];
  const repositories = { ...given };
  const files = Object.values(repositories).flatMap((repository) => Object.values(repository.files));
  const objects = new Map(files.filter((file) => file.large).map(({ body }) => [sha256(body), body]));

  const takeFault = (
    { server, method, path }: Pick<ServedRequest, 'server' | 'method' | 'path'>,
    kind: (fault: Fault) => boolean,
  ): Fault | undefined => {
    const matches = (fault: Fault) =>
      kind(fault) &&
      (fault.server ?? server) === server &&
      (fault.method ?? method) === method &&
      path.includes(fault.path ?? '');
    const match = faults.find(({ fault, left }) => left > 0 && matches(fault));
    if (match) match.left--;
    return match?.fault;
  };

  const serve = (server: ServedRequest['server'], answer: (exchange: Exchange) => ServerResponse) =>
    createServer((request, response) => {
      const { method = '', url = '', headers } = request;
      requests.push({ server, method, path: url, headers });
      const fault = takeFault({ server, method, path: url }, (candidate) => !isByteFault(candidate));
      const takeByteFault = () => takeFault({ server, method, path: url }, isByteFault);
      if (fault?.status === undefined) return answer({ request, response, fault, takeByteFault });
      response.writeHead(fault.status, fault.headers).end();
    });

  const store = serve('store', (exchange) => {
    const { request, response } = exchange;
    if (request.method === 'PUT' && writable) {
      const fault = exchange.takeByteFault();
      if (fault?.breakAfter === undefined) void answerPut(request, response, writable());
      else request.once('data', () => response.destroy());
      return response;
    }
    const file = objects.get(request.url?.split('/').at(-1) ?? '');
    // As S3 does: the address is signed, and a second authorisation is refused.
    if (request.headers.authorization) return response.writeHead(400).end();
    if (!file) return response.writeHead(404).end();
    return sendFile(exchange, file, { ETag: `"store-${sha256(file).slice(0, 8)}"` });
  });
  const storeAddress = await listen(store);
  const parts = new Map<string, Uint8Array>();
  const writable = writing && ((): WritableHub => ({ repositories, objects, parts, writing, storeAddress }));

  const hub = serve('hub', (exchange) => {
    const read = () => answerHub(exchange, { repositories, prefix, storeAddress });
    if (!writable) return read();
    const { request, response } = exchange;
    const path = request.url?.slice(prefix.length) ?? '';
    void answerWrite(request, response, { ...writable(), path }).then((answered) => answered || read());
    return response;
  });
  const hubAddress = await listen(hub);

  return {
    endpoint: `${hubAddress}${prefix}`,
    repositories,
    requests,
    fail: (fault) => void faults.push({ fault, left: fault.times ?? 1 }),
    close: async () => {
      await Promise.all([stop(hub), stop(store)]);
    },
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly fault: Fault | undefined;
  readonly takeByteFault: () => Fault | undefined;
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

interface Contents {
  readonly repositories: HubServerOptions['repositories'];
  readonly prefix: string;
  readonly storeAddress: string;
}

function answerHub(exchange: Exchange, { repositories, prefix, storeAddress }: Contents): ServerResponse {
  const { request, response, fault } = exchange;
  const url = request.url ?? '';
  const match = /^(\/cached)?\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(
    url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : '',
  );
  const refuse = (status: number, code: string, headers = {}) =>
    response.writeHead(status, { 'X-Error-Code': code, ...headers }).end();
  if (!match) return response.writeHead(404).end();
  const [, cached, name = '', revision = '', path = ''] = match;
  const repository = Object.hasOwn(repositories, name) ? repositories[name] : undefined;
  const { authorization } = request.headers;
  const hidden = repository?.token !== undefined && authorization !== `Bearer ${repository.token}`;
  // Without a token, a private repository looks like a missing one.
  if (!repository || hidden) return refuse(authorization ? 404 : 401, 'RepoNotFound');
  if (repository.gated) return refuse(authorization ? 403 : 401, 'GatedRepo');
  const { commit, branches = ['main'], files } = repository;
  if (![...branches, commit].includes(decodeURIComponent(revision))) return refuse(404, 'RevisionNotFound');
  const commitHeaders = { 'X-Repo-Commit': commit, ...fault?.headers };
  const file = Object.hasOwn(files, decodeURIComponent(path)) ? files[decodeURIComponent(path)] : undefined;
  if (!file) return refuse(404, 'EntryNotFound', commitHeaders);
  if (file.large) {
    const etag = file.etag ?? `"${sha256(file.body)}"`;
    const linked = { 'X-Linked-Etag': etag, 'X-Linked-Size': `${file.body.length}` };
    const location = `${storeAddress}/signed/${sha256(file.body)}`;
    return response
      .writeHead(302, { Location: location, ETag: '"redirect"', ...linked, ...commitHeaders })
      .end();
  }
  if (cached)
    return sendFile(exchange, file.body, { ETag: file.etag ?? `"${gitHash(file.body)}"`, ...commitHeaders });
  const location = `${prefix}/cached/${name}/resolve/${revision}/${path}`;
  return response.writeHead(307, { Location: location, ...commitHeaders }).end('Temporary Redirect');
}

const isByteFault = ({ breakAfter, stallAfter, ignoreRange, body }: Fault): boolean =>
  breakAfter !== undefined || stallAfter !== undefined || ignoreRange === true || body !== undefined;

function sendFile(
  { request, response, takeByteFault }: Exchange,
  file: Uint8Array,
  headers: Readonly<Record<string, string>>,
): ServerResponse {
  const { range, 'if-range': condition } = request.headers;
  const fault = request.method === 'HEAD' ? undefined : takeByteFault();
  const body = fault?.body ?? file;
  const ranged = range !== undefined && !fault?.ignoreRange && (condition ?? headers.ETag) === headers.ETag;
  const first = ranged ? Number(/^bytes=(\d+)-$/.exec(range)?.[1]) : 0;
  if (ranged && first >= body.length)
    return response.writeHead(416, { 'Content-Range': `bytes */${body.length}` }).end();
  const part = body.subarray(first);
  const extent = ranged ? { 'Content-Range': `bytes ${first}-${body.length - 1}/${body.length}` } : {};
  response.writeHead(ranged ? 206 : 200, { ...headers, ...extent, 'Content-Length': `${part.length}` });
  if (request.method === 'HEAD') return response.end();
  if (fault?.breakAfter !== undefined) {
    response.flushHeaders();
    response.write(part.subarray(0, fault.breakAfter));
    // Delayed, so that the bytes arrive before the connection closes.
    setTimeout(() => response.destroy(), 50);
    return response;
  }
  if (fault?.stallAfter !== undefined) {
    response.write(part.subarray(0, fault.stallAfter));
    return response;
  }
  return response.end(part);
}

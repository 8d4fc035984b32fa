/**
 * The writing half of the local hub, as huggingface.co answers huggingface_hub 2.4: repositories are created, files above a
 * size or not text go to the store by Git LFS's batch protocol, in parts where the hub asks for it, and one commit names them all.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gitHash, type ServedFile, type ServedRepository, sha256 } from './hub-server.ts';

/** Who may write, and how large files are asked for. */
export interface Writing {
  readonly token: string;
  /** Owners whose repositories the token may create and change. */
  readonly owners: readonly string[];
  /** Files are uploaded in parts of this many bytes. */
  readonly chunkSize?: number;
}

/** What the hub holds; commits replace repositories as a whole. */
export interface WritableHub {
  readonly repositories: Record<string, ServedRepository>;
  /** Objects in the store, by their sha256. */
  readonly objects: Map<string, Uint8Array>;
  /** Bytes that were put, by the last part of their address. */
  readonly parts: Map<string, Uint8Array>;
  readonly writing: Writing;
  readonly storeAddress: string;
}

interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers a request that writes or asks about a repository; undefined for others. */
export async function answerWrite(
  request: IncomingMessage,
  response: ServerResponse,
  hub: WritableHub & { readonly path: string },
): Promise<boolean> {
  const route = routes.find(([method, pattern]) => method === request.method && pattern.test(hub.path));
  if (!route) return false;
  const [, pattern, handler] = route;
  const body = await bodyOf(request);
  const answer = handler({ ...hub, match: pattern.exec(hub.path) ?? [], body, request });
  response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
  response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
  return true;
}

/** Puts bytes under the last part of their address. As S3 does, refuses an authorisation beside the signed address. */
export async function answerPut(
  request: IncomingMessage,
  response: ServerResponse,
  { parts, objects }: WritableHub,
): Promise<void> {
  if (request.headers.authorization || request.headers['content-length'] === undefined)
    return void response.writeHead(400).end();
  const body = await bodyOf(request);
  const name = request.url?.split('/').at(-1) ?? '';
  parts.set(name, body);
  if (sha256(body) === name) objects.set(name, body);
  response.writeHead(200, { ETag: `"${gitHash(body)}"` }).end();
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

interface Call extends WritableHub {
  readonly match: readonly string[];
  readonly body: Buffer;
  readonly request: IncomingMessage;
}

type Handler = (call: Call) => Answer;

const refusal = (status: number, error: string): Answer => ({ status, body: { error } });

const isKnown = ({ request, writing }: Call): boolean =>
  request.headers.authorization === `Bearer ${writing.token}`;

const mayWrite = (call: Call, name: string): boolean =>
  isKnown(call) && call.writing.owners.includes(name.split('/')[0] ?? '');

/** Runs the handler if the repository is there and the token may write to it. */
const writable =
  (handler: (call: Call, repository: ServedRepository, name: string) => Answer): Handler =>
  (call) => {
    const [, name = ''] = call.match;
    if (!isKnown(call)) return refusal(401, 'Invalid username or password.');
    const repository = call.repositories[name];
    if (!repository) return refusal(404, 'Repository not found');
    return mayWrite(call, name)
      ? handler(call, repository, name)
      : refusal(403, `You don't have the rights to write to ${name}`);
  };

const create: Handler = (call) => {
  const { organization, name, private: hidden } = JSON.parse(call.body.toString());
  const full = `${organization}/${name}`;
  if (!isKnown(call)) return refusal(401, 'Invalid username or password.');
  if (!mayWrite(call, full))
    return refusal(403, `You don't have the rights to create a model under ${organization}`);
  if (call.repositories[full]) return refusal(409, 'You already created this model repo');
  call.repositories[full] = {
    commit: '0'.repeat(40),
    files: {},
    ...(hidden === true && { token: call.writing.token }),
  };
  return { status: 200, body: { url: `/${full}` } };
};

const info: Handler = (call) => {
  const repository = call.repositories[call.match[1] ?? ''];
  return repository
    ? { status: 200, body: { private: repository.token !== undefined, sha: repository.commit } }
    : refusal(isKnown(call) ? 404 : 401, 'Repository not found');
};

const isText = (bytes: Uint8Array): boolean => !bytes.includes(0);

const preupload = writable(({ body }, { files }) => {
  const asked = JSON.parse(body.toString()).files as { path: string; sample: string; size: number }[];
  return {
    status: 200,
    body: {
      files: asked.map(({ path, sample, size }) => {
        const known = files[path];
        const isLarge = size > 100_000 || !isText(Buffer.from(sample, 'base64'));
        return {
          path,
          uploadMode: isLarge ? 'lfs' : 'regular',
          shouldIgnore: false,
          ...(known && { oid: known.large ? sha256(known.body) : gitHash(known.body) }),
        };
      }),
    },
  };
});

const batch = writable(({ body, objects, storeAddress, writing: { chunkSize }, request }, _, name) => {
  const endpoint = `http://${request.headers.host}`;
  const asked = JSON.parse(body.toString()).objects as { oid: string; size: number }[];
  const upload = (oid: string, size: number) => {
    if (chunkSize === undefined) return { href: `${storeAddress}/signed/${oid}` };
    const count = Math.ceil(size / chunkSize);
    const addresses = Array.from({ length: count }, (_, index) => [
      String(index + 1),
      `${storeAddress}/signed/${oid}-${index + 1}`,
    ]);
    return {
      href: `${endpoint}/api/complete/${oid}/${count}`,
      header: { chunk_size: String(chunkSize), ...Object.fromEntries(addresses) },
    };
  };
  return {
    status: 200,
    body: {
      transfer: chunkSize === undefined ? 'basic' : 'multipart',
      objects: asked.map(({ oid, size }) => ({
        oid,
        size,
        ...(!objects.has(oid) && {
          actions: { upload: upload(oid, size), verify: { href: `${endpoint}/${name}.git/info/lfs/verify` } },
        }),
      })),
    },
  };
});

const complete: Handler = ({ match: [, oid = '', count], parts, objects, body }) => {
  const named = JSON.parse(body.toString()) as { oid: string; parts: { partNumber: number; etag: string }[] };
  const put = Array.from({ length: Number(count) }, (_, index) => parts.get(`${oid}-${index + 1}`));
  const same = put.every((part, index) => part && named.parts[index]?.etag === `"${gitHash(part)}"`);
  const whole = Buffer.concat(put.flatMap((part) => part ?? []));
  if (!same || sha256(whole) !== oid) return refusal(400, 'The parts do not make the object');
  objects.set(oid, whole);
  return { status: 200 };
};

const verify = writable(({ body, objects }) => {
  const { oid, size } = JSON.parse(body.toString());
  return objects.get(oid)?.length === size ? { status: 200 } : refusal(404, 'The object is not there');
});

const commit = writable(({ body, objects, repositories, match, request }, repository, name) => {
  const [, , revision = ''] = match;
  if (!(repository.branches ?? ['main']).includes(decodeURIComponent(revision)))
    return { status: 404, headers: { 'X-Error-Code': 'RevisionNotFound' } };
  if (request.headers['content-type'] !== 'application/x-ndjson') return refusal(400, 'Expected NDJSON');
  const lines = body.toString().trimEnd().split('\n');
  const [header, ...operations] = lines.map((line) => JSON.parse(line));
  if (header.key !== 'header' || !header.value.summary) return refusal(400, 'A commit needs a summary');
  const files: Record<string, ServedFile> = { ...repository.files };
  for (const { key, value } of operations) {
    const object = objects.get(value.oid);
    if (key === 'file') files[value.path] = { body: Buffer.from(value.content, 'base64') };
    else if (object) files[value.path] = { body: object, large: true };
    else return refusal(400, `${value.path}: the object ${value.oid} was not uploaded`);
  }
  const oid = sha256(body).slice(0, 40);
  repositories[name] = { ...repository, commit: oid, files };
  return { status: 200, body: { success: true, commitOid: oid, commitUrl: `/${name}/commit/${oid}` } };
});

const routes: readonly (readonly [method: string, pattern: RegExp, handler: Handler])[] = [
  ['POST', /^\/api\/repos\/create$/, create],
  ['GET', /^\/api\/models\/([^/]+\/[^/]+)$/, info],
  ['POST', /^\/api\/models\/([^/]+\/[^/]+)\/preupload\/([^/]+)$/, preupload],
  ['POST', /^\/([^/]+\/[^/]+)\.git\/info\/lfs\/objects\/batch$/, batch],
  ['POST', /^\/([^/]+\/[^/]+)\.git\/info\/lfs\/verify$/, verify],
  ['POST', /^\/api\/complete\/([^/]+)\/(\d+)$/, complete],
  ['POST', /^\/api\/models\/([^/]+\/[^/]+)\/commit\/([^/]+)$/, commit],
];

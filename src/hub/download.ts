/** One blob of the hub, from its server to the cache: resumed where it stopped, and checked before it gets its name. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import {
  type Answer,
  checkStatus,
  describe,
  follow,
  type HubPatience,
  type HubRequest,
  overNetwork,
  PassingError,
  persist,
  watch,
} from './request.ts';
import { HubError } from './settings.ts';

export interface HubProgress {
  readonly file: string;
  /** Bytes that are there, those of earlier tries among them. */
  readonly done: number;
  readonly total: number | undefined;
}

/** What the hub says of a file before it sends it. */
export interface HubMetadata {
  readonly commit: string;
  /** Without quotes. The sha256 of a large file, git's hash of a small one. */
  readonly etag: string;
  /** The header that the endpoint itself sends with the file; undefined if the etag is that of a linked file. */
  readonly ownEtag: string | undefined;
  readonly size: number | undefined;
}

export interface Download {
  readonly request: HubRequest;
  readonly metadata: HubMetadata;
  readonly blob: string;
  readonly patience: HubPatience;
  readonly onProgress?: ((progress: HubProgress) => void) | undefined;
}

/** `W/"abc"` and `"abc"` as abc. */
export const bareEtag = (header: string): string => header.replace(/^W\//, '').replace(/^"(.*)"$/, '$1');

const isSha256 = (etag: string): boolean => /^[0-9a-f]{64}$/.test(etag);

/** Downloads to `<blob>.incomplete`, which a failure or the caller's signal leaves there for the next time. */
export async function downloadBlob(download: Download): Promise<void> {
  const { request, metadata, blob, patience } = download;
  const partial = `${blob}.incomplete`;
  const file = await open(partial, 'a');
  try {
    let furthest = (await file.stat()).size;
    const attempt = async (): Promise<void> => {
      try {
        await transfer(file, download);
      } catch (error) {
        const { size } = await file.stat();
        const advanced = size > furthest;
        furthest = Math.max(furthest, size);
        if (error instanceof PassingError && advanced)
          throw new PassingError(error.message, { advanced, cause: error });
        throw error;
      }
    };
    await persist(attempt, { patience, signal: request.signal });
    await check(partial, metadata, describe(request)).catch(async (error) => {
      await rm(partial, { force: true });
      throw error;
    });
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, blob);
}

/** One try. */
async function transfer(file: FileHandle, download: Download): Promise<void> {
  const { request, metadata, patience } = download;
  const watcher = watch(patience.stallMs, { asked: describe(request), outer: request.signal });
  try {
    let { size: done } = await file.stat();
    if (done === metadata.size) return;
    const { answer, from } = await ask(done, download, watcher.signal);
    if (from === 0) {
      await file.truncate(0);
      done = 0;
    }
    await receive(file, { ...download, answer, done, watcher });
  } finally {
    watcher.stop();
  }
}

/** Asks for what is missing, or for everything if the server cannot or may not go on where the last try stopped. */
async function ask(
  done: number,
  { request, metadata }: Download,
  signal: AbortSignal,
): Promise<{ answer: Answer; from: number }> {
  const { origin } = new URL(request.settings.endpoint);
  const get = (headers: (url: URL) => Record<string, string>) =>
    follow(request, { method: 'GET', signal, headers });
  const fits = metadata.size === undefined || done < metadata.size;
  if (done > 0 && fits && (isSha256(metadata.etag) || metadata.ownEtag !== undefined)) {
    const answer = await get((url) => {
      const range = { range: `bytes=${done}-` };
      // A weak etag may not stand in If-Range.
      const strong =
        metadata.ownEtag?.startsWith('"') && url.origin === origin ? metadata.ownEtag : undefined;
      return strong === undefined ? range : { ...range, 'if-range': strong };
    });
    if (continues(answer, done, metadata)) return { answer, from: done };
    if (answer.response.status === 200) return { answer: checkWhole(request, answer), from: 0 };
    if (answer.response.status !== 206 && answer.response.status !== 416) checkStatus(request, answer);
    await answer.response.body?.cancel();
  }
  return { answer: checkWhole(request, await get(() => ({}))), from: 0 };
}

/** Whether an answer goes on at the byte that was asked for, in the file that was begun. */
function continues({ response }: Answer, done: number, { size, etag, ownEtag }: HubMetadata): boolean {
  if (response.status !== 206) return false;
  const [, first, total] =
    /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? [];
  if (Number(first) !== done) return false;
  if (size !== undefined && total !== '*' && Number(total) !== size) return false;
  const received = response.headers.get('etag');
  // Other origins have etags of their own; what they send is checked by its sha256.
  return isSha256(etag) || (ownEtag !== undefined && received !== null && bareEtag(received) === etag);
}

function checkWhole(request: HubRequest, answer: Answer): Answer {
  checkStatus(request, answer);
  const { status } = answer.response;
  if (status !== 200)
    throw new HubError(`${describe(request)}: ${answer.url.host} answered ${status}, expected 200`);
  return answer;
}

async function receive(
  file: FileHandle,
  {
    request,
    metadata,
    onProgress,
    answer,
    done: begun,
    watcher,
  }: Download & { answer: Answer; done: number; watcher: ReturnType<typeof watch> },
): Promise<void> {
  const asked = describe(request);
  const { size: total } = metadata;
  const reader = answer.response.body?.getReader();
  let done = begun;
  const report = () => onProgress?.({ file: request.file, done, total });
  report();
  try {
    while (reader) {
      const chunk = await overNetwork(`${asked}: ${answer.url.host}`, reader.read(), watcher.signal);
      if (chunk.done) break;
      watcher.touch();
      await file.writeFile(chunk.value);
      done += chunk.value.length;
      report();
      // Checked again as a whole; here so that a server without an end cannot fill the disk.
      if (total !== undefined && done > total) return;
    }
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
  if (total !== undefined && done < total)
    throw new PassingError(`${asked}: ${answer.url.host} sent ${done} bytes of ${total}, then stopped`);
}

/** @throws HubError if the bytes are not those that the hub described. */
async function check(path: string, { etag, size }: HubMetadata, asked: string): Promise<void> {
  const hash = createHash('sha256');
  let received = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
    received += (chunk as Buffer).length;
  }
  const again = 'what arrived was deleted; try again';
  if (size !== undefined && received !== size)
    throw new HubError(`${asked}: expected ${size} bytes, received ${received}; ${again}`);
  const digest = hash.digest('hex');
  if (isSha256(etag) && digest !== etag)
    throw new HubError(`${asked}: expected the sha256 ${etag}, received ${digest}; ${again}`);
}

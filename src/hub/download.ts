/** Downloads one blob of the hub into the cache: resumed where it stopped, and verified before it gets its final name. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import {
  checkStatus,
  describe,
  follow,
  type HubPatience,
  type HubRequest,
  type HubResponse,
  overNetwork,
  retry,
  TemporaryError,
  watch,
} from './request.ts';
import { HubError } from './settings.ts';

export interface HubProgress {
  readonly file: string;
  /** Bytes present, including those of earlier tries. */
  readonly done: number;
  readonly total: number | undefined;
}

/** The hub's metadata of a file. */
export interface HubMetadata {
  readonly commit: string;
  /** Without quotes. The sha256 of a large file, the git hash of a small one. */
  readonly etag: string;
  /** The endpoint's own ETag header for the file; undefined if the etag is that of a linked file. */
  readonly endpointEtag: string | undefined;
  readonly size: number | undefined;
}

export interface Download {
  readonly request: HubRequest;
  readonly metadata: HubMetadata;
  readonly blob: string;
  readonly patience: HubPatience;
  readonly onProgress?: ((progress: HubProgress) => void) | undefined;
  /** For a response of unknown length. */
  readonly maxBytes: number;
}

/** The response is longer than any such file. */
class TooLongError extends HubError {}

/** `W/"abc"` and `"abc"` become abc. */
export const bareEtag = (header: string): string => header.replace(/^W\//, '').replace(/^"(.*)"$/, '$1');

const isSha256 = (etag: string): boolean => /^[0-9a-f]{64}$/.test(etag);

/** Downloads to `<blob>.incomplete`, which is kept on failure or abort and resumed next time. */
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
        // What was received is of no use.
        if (error instanceof TooLongError) await file.truncate(0);
        if (error instanceof TemporaryError && advanced)
          throw new TemporaryError(error.message, { advanced, cause: error });
        throw error;
      }
    };
    await retry(attempt, { patience, signal: request.signal });
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
  const watcher = watch(patience.stallMs, { label: describe(request), outer: request.signal });
  try {
    let { size: received } = await file.stat();
    if (received === metadata.size) return;
    const { answer: reply, from } = await requestBytes(received, download, watcher.signal);
    if (from === 0) {
      await file.truncate(0);
      received = 0;
    }
    await receive(file, { ...download, answer: reply, received, watcher });
  } finally {
    watcher.stop();
  }
}

/** Requests the missing bytes, or the whole file if the server cannot resume or the file may have changed. */
async function requestBytes(
  received: number,
  { request, metadata }: Download,
  signal: AbortSignal,
): Promise<{ answer: HubResponse; from: number }> {
  const { origin } = new URL(request.settings.endpoint);
  const get = (headers: (url: URL) => Record<string, string>) =>
    follow(request, { method: 'GET', signal, headers });
  const incomplete = metadata.size === undefined || received < metadata.size;
  if (received > 0 && incomplete && (isSha256(metadata.etag) || metadata.endpointEtag !== undefined)) {
    const answer = await get((url) => {
      const range = { range: `bytes=${received}-` };
      // A weak etag is not allowed in If-Range.
      const strong =
        metadata.endpointEtag?.startsWith('"') && url.origin === origin ? metadata.endpointEtag : undefined;
      return strong === undefined ? range : { ...range, 'if-range': strong };
    });
    if (continues(answer, received, metadata)) return { answer, from: received };
    if (answer.response.status === 200) return { answer: checkWhole(request, answer), from: 0 };
    if (answer.response.status !== 206 && answer.response.status !== 416) checkStatus(request, answer);
    await answer.response.body?.cancel();
  }
  return { answer: checkWhole(request, await get(() => ({}))), from: 0 };
}

/** Whether a response continues the partial file at the requested byte. */
function continues(
  { response }: HubResponse,
  received: number,
  { size, etag, endpointEtag }: HubMetadata,
): boolean {
  if (response.status !== 206) return false;
  const [, first, total] =
    /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? [];
  if (Number(first) !== received) return false;
  if (size !== undefined && total !== '*' && Number(total) !== size) return false;
  const etagReceived = response.headers.get('etag');
  // Other origins have their own etags; what they send is verified by its sha256.
  return (
    isSha256(etag) || (endpointEtag !== undefined && etagReceived !== null && bareEtag(etagReceived) === etag)
  );
}

function checkWhole(request: HubRequest, answer: HubResponse): HubResponse {
  checkStatus(request, answer);
  const { status } = answer.response;
  if (status !== 200)
    throw new HubError(`${describe(request)}: ${answer.url.host} responded ${status}, expected 200`);
  return answer;
}

async function receive(
  file: FileHandle,
  {
    request,
    metadata,
    onProgress,
    answer,
    received: start,
    watcher,
    maxBytes,
  }: Download & { answer: HubResponse; received: number; watcher: ReturnType<typeof watch> },
): Promise<void> {
  const label = describe(request);
  const { size: total } = metadata;
  const reader = answer.response.body?.getReader();
  let received = start;
  const report = () => onProgress?.({ file: request.file, done: received, total });
  report();
  try {
    while (reader) {
      const chunk = await overNetwork(`${label}: ${answer.url.host}`, reader.read(), watcher.signal);
      if (chunk.done) break;
      watcher.touch();
      await file.writeFile(chunk.value);
      received += chunk.value.length;
      report();
      // The size is verified at the end; this keeps an endless response from filling the disk.
      if (total !== undefined && received > total) return;
      if (received > maxBytes)
        throw new TooLongError(`${label}: ${answer.url.host} sent more than ${maxBytes} bytes, the limit`);
    }
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
  if (total !== undefined && received < total)
    throw new TemporaryError(`${label}: ${answer.url.host} sent ${received} bytes of ${total}, then stopped`);
}

/** @throws HubError if size or hash differ from the metadata. */
async function check(path: string, { etag, size }: HubMetadata, label: string): Promise<void> {
  const hash = createHash('sha256');
  let received = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
    received += (chunk as Buffer).length;
  }
  const advice = 'the partial download was deleted; try again';
  if (size !== undefined && received !== size)
    throw new HubError(`${label}: expected ${size} bytes, received ${received}; ${advice}`);
  const digest = hash.digest('hex');
  if (isSha256(etag) && digest !== etag)
    throw new HubError(`${label}: expected sha256 ${etag}, received ${digest}; ${advice}`);
}

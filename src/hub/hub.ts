/** Files of the Hugging Face hub, by its own conventions: URLs, headers, cache and environment variables. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  type CachedFile,
  checkFileName,
  checkSegment,
  exists,
  findCached,
  type HubCache,
  hubCache,
  isCommit,
  linkSnapshot,
  writeAbsent,
  writeRef,
} from './cache.ts';
import { bareEtag, downloadBlob, type HubMetadata, type HubProgress } from './download.ts';
import { withLock } from './lock.ts';
import {
  checkStatus,
  describe,
  EntryNotFoundError,
  follow,
  type HubPatience,
  type HubRequest,
  hubPatience,
  retry,
  TemporaryError,
  watch,
} from './request.ts';
import { checkHubName, HubError } from './settings.ts';

export { hubSettings, parseHubName } from './settings.ts';
export type { HubPatience, HubProgress };

export interface HubFileOptions extends HubRequest {
  /** Return undefined instead of throwing if the repository has no such file. */
  readonly optional?: boolean | undefined;
  readonly onProgress?: ((progress: HubProgress) => void) | undefined;
  /** For messages that the user should see although nothing failed. */
  readonly onNotice?: ((line: string) => void) | undefined;
  readonly patience?: Partial<HubPatience> | undefined;
  /** A larger file is refused, before it is downloaded or at this byte. Default 8 GiB. */
  readonly maxBytes?: number | undefined;
}

const defaultMaxBytes = 8 * 2 ** 30;

/** Offline, and the cache does not have the file. */
export class NotCachedError extends HubError {
  override name = 'NotCachedError';
}

type FileRequest = HubFileOptions & {
  readonly cache: HubCache;
  readonly patience: HubPatience;
  readonly maxBytes: number;
};

/**
 * Returns the path of a file in the cache's snapshot, downloading it if necessary.
 * @throws HubError saying what was requested and what to do; the signal's reason if it fires.
 */
export async function hubFile(options: HubFileOptions): Promise<string | undefined> {
  const { repository, file, settings, patience, signal, maxBytes = defaultMaxBytes } = options;
  checkHubName(options);
  checkFileName(file, repository);
  signal?.throwIfAborted();
  const cache = hubCache(settings.cache, repository);
  const fileRequest = { ...options, cache, patience: { ...hubPatience, ...patience }, maxBytes };
  try {
    return await locate(fileRequest);
  } catch (error) {
    throw nameCache(error, options);
  }
}

async function locate(request: FileRequest): Promise<string | undefined> {
  const cached = await findCached(request.cache, request);
  // The files of a commit never change.
  if (cached.path !== undefined && isCommit(request.revision)) return cached.path;
  if (request.settings.offline) return fromCache(request, cached);
  try {
    return await fromHub(request, cached);
  } catch (error) {
    if (!(error instanceof EntryNotFoundError) || !request.optional) throw error;
    if (error.commit !== undefined) await rememberAbsent(request, error.commit);
    return undefined;
  }
}

function fromCache({ optional, ...request }: FileRequest, cached: CachedFile): string | undefined {
  if (cached.path !== undefined) return cached.path;
  if (cached.absent && optional) return undefined;
  throw new NotCachedError(
    `${describe(request)}: not in the cache ${request.settings.cache}, and HF_HUB_OFFLINE forbids downloading it`,
  );
}

async function fromHub(request: FileRequest, cached: CachedFile): Promise<string | undefined> {
  const { cache, revision, file, optional } = request;
  const usable = cached.path !== undefined || (cached.absent === true && optional === true);
  let metadata: HubMetadata;
  try {
    metadata = await readMetadata(request, usable ? 1 : request.patience.tries);
  } catch (error) {
    if (!(error instanceof TemporaryError) || !usable) throw error;
    request.onNotice?.(`${error.message}; using the cached copy of commit ${cached.commit}`);
    return cached.path;
  }
  const path = cache.snapshot(metadata.commit, file);
  if ((metadata.size ?? 0) > request.maxBytes)
    throw new HubError(
      `${describe(request)}: it has ${metadata.size} bytes, the limit is ${request.maxBytes}`,
    );
  if (!(await exists(path))) {
    const blob = cache.blob(metadata.etag);
    if (!(await exists(blob))) await downloadOnce(request, metadata, blob);
    await linkSnapshot({ path, blob });
  }
  // Written last, so that a ref never points to a missing file.
  await writeRef(cache, revision, metadata.commit);
  return path;
}

/** Asks only the endpoint: the storage host's headers say nothing about the repository. */
async function readMetadata(request: FileRequest, tries: number): Promise<HubMetadata> {
  const { patience, signal } = request;
  const { origin } = new URL(request.settings.endpoint);
  const attempt = async (): Promise<HubMetadata> => {
    const watcher = watch(patience.answerMs, { label: describe(request), outer: signal });
    try {
      const answer = await follow(request, {
        method: 'HEAD',
        signal: watcher.signal,
        shouldFollow: ({ headers }, next) => next.origin === origin && !headers.has('x-linked-etag'),
      });
      checkStatus(request, answer);
      return parseMetadata(request, { header: answer.header, whole: answer.response.status === 200 });
    } finally {
      watcher.stop();
    }
  };
  return retry(attempt, { patience: { ...patience, tries }, signal });
}

function parseMetadata(
  request: FileRequest,
  { header, whole }: { header: (name: string) => string | null; whole: boolean },
): HubMetadata {
  const required = (value: string | null, name: string): string => {
    if (value) return value;
    throw new HubError(
      `${describe(request)}: ${request.settings.endpoint} responded without ${name}; is HF_ENDPOINT the address of a hub?`,
    );
  };
  const label = (name: string): string => `${describe(request)}: ${name}`;
  const commit = checkSegment(required(header('x-repo-commit'), 'X-Repo-Commit'), label('X-Repo-Commit'));
  if (isCommit(request.revision) && commit !== request.revision)
    throw new HubError(`${describe(request)}: expected the requested commit, received ${commit}`);
  const linked = header('x-linked-etag');
  const endpointEtag = linked ? undefined : required(header('etag'), 'ETag');
  const etag = checkSegment(bareEtag(linked || (endpointEtag as string)), label('ETag'));
  // The length of a redirect, or of compressed bytes, is not that of the file.
  const plain = whole && (header('content-encoding') ?? 'identity') === 'identity';
  const size = header('x-linked-size') ?? (plain ? header('content-length') : null);
  return { commit, etag, endpointEtag, size: size !== null && /^\d+$/.test(size) ? Number(size) : undefined };
}

/** If several processes need the same blob, one downloads it and the others wait. */
async function downloadOnce(request: FileRequest, metadata: HubMetadata, blob: string): Promise<void> {
  const { cache, onNotice, onProgress, patience, signal, maxBytes } = request;
  const lock = cache.lock(metadata.etag);
  await mkdir(dirname(lock), { recursive: true });
  await mkdir(dirname(blob), { recursive: true });
  const onWait = (pid: string): void =>
    onNotice?.(`${describe(request)}: process ${pid} is downloading it; waiting`);
  await withLock(lock, { signal, onWait, wait: patience.wait }, async () => {
    if (!(await exists(blob)))
      await downloadBlob({ request, metadata, blob, patience, onProgress, maxBytes });
  });
}

async function rememberAbsent({ cache, revision, file }: FileRequest, commitReceived: string): Promise<void> {
  const commit = checkSegment(commitReceived, 'X-Repo-Commit');
  await writeAbsent(cache, commit, file);
  await writeRef(cache, revision, commit);
}

/** Adds to a file system error which folder it concerns and which variable moves it. */
function nameCache(error: unknown, request: HubRequest): unknown {
  if (!(error instanceof Error) || error instanceof HubError) return error;
  const { syscall, message } = error as NodeJS.ErrnoException;
  if (syscall === undefined) return error;
  return new HubError(
    `${describe(request)}: the cache ${request.settings.cache} cannot be used (${message}); HF_HUB_CACHE moves it`,
    { cause: error },
  );
}

/** Files of the model hub, by its own conventions: its addresses and headers, its cache, its variables. */
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
  PassingError,
  persist,
  watch,
} from './request.ts';
import { checkHubName, HubError } from './settings.ts';

export { HubError, type HubSettings, hubSettings, parseHubName } from './settings.ts';
export type { HubPatience, HubProgress };

export interface HubFileOptions extends HubRequest {
  /** undefined instead of an error if the repository has no such file. */
  readonly optional?: boolean | undefined;
  readonly onProgress?: ((progress: HubProgress) => void) | undefined;
  /** For what a person should know though nothing failed. */
  readonly onNotice?: ((line: string) => void) | undefined;
  readonly patience?: Partial<HubPatience> | undefined;
}

type Asked = HubFileOptions & { readonly cache: HubCache; readonly patience: HubPatience };

/**
 * The path of a file in the cache's snapshot; it is downloaded if it is not there.
 * @throws HubError saying what was asked for and what to do; the signal's reason if it fires.
 */
export async function hubFile(options: HubFileOptions): Promise<string | undefined> {
  const { repository, file, settings, patience, signal } = options;
  checkHubName(options);
  checkFileName(file, repository);
  signal?.throwIfAborted();
  const cache = hubCache(settings.cache, repository);
  const asked = { ...options, cache, patience: { ...hubPatience, ...patience } };
  try {
    return await locate(asked);
  } catch (error) {
    throw nameCache(error, options);
  }
}

async function locate(asked: Asked): Promise<string | undefined> {
  const known = await findCached(asked.cache, asked);
  // A commit never changes.
  if (known.path !== undefined && isCommit(asked.revision)) return known.path;
  if (asked.settings.offline) return fromCacheAlone(asked, known);
  try {
    return await fromHub(asked, known);
  } catch (error) {
    if (!(error instanceof EntryNotFoundError) || !asked.optional) throw error;
    if (error.commit !== undefined) await rememberAbsent(asked, error.commit);
    return undefined;
  }
}

function fromCacheAlone({ optional, ...asked }: Asked, known: CachedFile): string | undefined {
  if (known.path !== undefined) return known.path;
  if (known.absent && optional) return undefined;
  throw new HubError(
    `${describe(asked)}: not in the cache ${asked.settings.cache}, and HF_HUB_OFFLINE forbids to download it`,
  );
}

async function fromHub(asked: Asked, known: CachedFile): Promise<string | undefined> {
  const { cache, revision, file, optional } = asked;
  const usable = known.path !== undefined || (known.absent === true && optional === true);
  let metadata: HubMetadata;
  try {
    metadata = await readMetadata(asked, usable ? 1 : asked.patience.tries);
  } catch (error) {
    if (!(error instanceof PassingError) || !usable) throw error;
    asked.onNotice?.(`${error.message}; the cache's copy of commit ${known.commit} is used`);
    return known.path;
  }
  const path = cache.snapshot(metadata.commit, file);
  if (!(await exists(path))) {
    const blob = cache.blob(metadata.etag);
    if (!(await exists(blob))) await downloadOnce(asked, metadata, blob);
    await linkSnapshot({ path, blob });
  }
  // Last, so that what a ref leads to is there.
  await writeRef(cache, revision, metadata.commit);
  return path;
}

/** Asks the endpoint alone: where the bytes lie is another host's matter, and its headers say nothing of the repository. */
async function readMetadata(asked: Asked, tries: number): Promise<HubMetadata> {
  const { patience, signal } = asked;
  const { origin } = new URL(asked.settings.endpoint);
  const attempt = async (): Promise<HubMetadata> => {
    const watcher = watch(patience.answerMs, { asked: describe(asked), outer: signal });
    try {
      const answer = await follow(asked, {
        method: 'HEAD',
        signal: watcher.signal,
        goOn: ({ headers }, next) => next.origin === origin && !headers.has('x-linked-etag'),
      });
      checkStatus(asked, answer);
      return parseMetadata(asked, { header: answer.header, whole: answer.response.status === 200 });
    } finally {
      watcher.stop();
    }
  };
  return persist(attempt, { patience: { ...patience, tries }, signal });
}

function parseMetadata(
  asked: Asked,
  { header, whole }: { header: (name: string) => string | null; whole: boolean },
): HubMetadata {
  const needed = (value: string | null, name: string): string => {
    if (value) return value;
    throw new HubError(
      `${describe(asked)}: ${asked.settings.endpoint} answered without ${name}; is HF_ENDPOINT the address of a hub?`,
    );
  };
  const what = (name: string): string => `${describe(asked)}: ${name}`;
  const commit = checkSegment(needed(header('x-repo-commit'), 'X-Repo-Commit'), what('X-Repo-Commit'));
  if (isCommit(asked.revision) && commit !== asked.revision)
    throw new HubError(`${describe(asked)}: expected the commit that was asked for, received ${commit}`);
  const linked = header('x-linked-etag');
  const own = linked ? undefined : needed(header('etag'), 'ETag');
  const etag = checkSegment(bareEtag(linked || (own as string)), what('ETag'));
  // The length of a redirect, or of compressed bytes, is not the file's.
  const plain = whole && (header('content-encoding') ?? 'identity') === 'identity';
  const size = header('x-linked-size') ?? (plain ? header('content-length') : null);
  return { commit, etag, ownEtag: own, size: size !== null && /^\d+$/.test(size) ? Number(size) : undefined };
}

/** Of several processes that want one blob the first downloads it and the others wait. */
async function downloadOnce(asked: Asked, metadata: HubMetadata, blob: string): Promise<void> {
  const { cache, onNotice, onProgress, patience, signal } = asked;
  const lock = cache.lock(metadata.etag);
  await mkdir(dirname(lock), { recursive: true });
  await mkdir(dirname(blob), { recursive: true });
  const onWait = (pid: string): void =>
    onNotice?.(`${describe(asked)}: process ${pid} is downloading it; waiting for it`);
  await withLock(lock, { signal, onWait, wait: patience.wait }, async () => {
    if (!(await exists(blob))) await downloadBlob({ request: asked, metadata, blob, patience, onProgress });
  });
}

async function rememberAbsent({ cache, revision, file }: Asked, received: string): Promise<void> {
  const commit = checkSegment(received, 'X-Repo-Commit');
  await writeAbsent(cache, commit, file);
  await writeRef(cache, revision, commit);
}

/** Adds to an error of the file system which folder it is about and which variable moves it. */
function nameCache(error: unknown, request: HubRequest): unknown {
  if (!(error instanceof Error) || error instanceof HubError) return error;
  const { syscall, message } = error as NodeJS.ErrnoException;
  if (syscall === undefined) return error;
  return new HubError(
    `${describe(request)}: the cache ${request.settings.cache} cannot be used (${message}); HF_HUB_CACHE moves it`,
    { cause: error },
  );
}

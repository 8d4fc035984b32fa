/** Files become one commit of a repository on the hub, or nothing does. */
import { createHash } from 'node:crypto';
import { createReadStream, openAsBlob } from 'node:fs';
import { z } from 'zod';
import { checkHubName, HubError, type HubSettings } from '../settings.ts';
import { answerOf, json, type PushTarget, send } from './api.ts';
import { type Upload, uploadLarge } from './upload.ts';

export interface PushOptions extends Omit<PushTarget, 'settings'> {
  readonly settings: HubSettings;
  /** Paths in the repository, and the files or texts that go there. */
  readonly files: readonly { readonly path: string; readonly file: string }[];
  /** Creates the repository as a private one; refused if it is there and public. */
  readonly private?: boolean;
  /** The commit's first line. */
  readonly summary: string;
  readonly onNotice?: ((line: string) => void) | undefined;
}

export interface Pushed {
  readonly repository: string;
  /** The new commit; undefined if the hub does not say. */
  readonly commit: string | undefined;
  readonly url: string;
  readonly created: boolean;
  /** Files that the repository had with other content. */
  readonly replaced: readonly string[];
}

/**
 * Creates the repository if it is not there, uploads large files to the hub's store, and commits all files at once.
 * @throws HubError: without a token, if the hub refuses, or if the connection fails; then nothing is committed
 */
export async function pushFiles(options: PushOptions): Promise<Pushed> {
  const { repository, settings, files, onNotice } = options;
  checkHubName(options);
  const target = { ...options, settings: withToken(settings, repository) };
  const uploads = await Promise.all(files.map(({ path, file }) => prepare(path, file)));
  const created = await createRepository(target, options.private ?? false);
  try {
    const modes = await uploadModes(uploads, target);
    const replaced = uploads.filter((file) => isReplaced(file, modes)).map(({ path }) => path);
    const large = uploads.filter(({ path }) => modes.get(path)?.uploadMode === 'lfs');
    await uploadLarge(large, target, onNotice);
    const { commit } = await commitFiles(uploads, { target, large, summary: options.summary });
    return { repository, commit, url: `${settings.endpoint}/${repository}`, created, replaced };
  } catch (error) {
    if (created)
      onNotice?.(
        `the repository ${settings.endpoint}/${repository} was created and is empty; push again to fill it`,
      );
    throw error;
  }
}

/** @throws HubError without a token, or offline */
export function withToken(settings: HubSettings, repository: string): PushTarget['settings'] {
  const { token, offline } = settings;
  if (offline) throw new HubError(`hub:${repository}: HF_HUB_OFFLINE forbids to push`);
  if (token === undefined)
    throw new HubError(
      `hub:${repository}: pushing needs a token; set HF_TOKEN to one with write access (${settings.endpoint}/settings/tokens)`,
    );
  return { ...settings, token };
}

interface Prepared extends Upload {
  readonly sample: string;
  /** Git's hash of the content: what the hub calls a small file by. */
  readonly gitHash: string;
}

const sampleBytes = 512;

async function prepare(path: string, file: string): Promise<Prepared> {
  const content = await openAsBlob(file);
  const [sha256, git] = [createHash('sha256'), createHash('sha1').update(`blob ${content.size}\0`)];
  for await (const bytes of createReadStream(file)) {
    sha256.update(bytes);
    git.update(bytes);
  }
  const sample = Buffer.from(await content.slice(0, sampleBytes).arrayBuffer()).toString('base64');
  return { path, content, sha256: sha256.digest('hex'), gitHash: git.digest('hex'), sample };
}

/** @returns whether it is new. */
async function createRepository(target: PushTarget, isPrivate: boolean): Promise<boolean> {
  const { repository } = target;
  const [organization, name] = repository.split('/');
  const response = await send(target, {
    ...{ method: 'POST', url: '/api/repos/create', doing: 'creating the repository' },
    ...json({ name, organization, ...(isPrivate && { private: true }) }),
    // There already; or not for this token to create, but perhaps to write to.
    accept: [401, 403, 409],
  });
  if (response.ok) return true;
  const info = await send(target, {
    ...{ method: 'GET', url: `/api/models/${repository}`, doing: 'creating the repository' },
    accept: [401, 404],
  });
  if (!info.ok) {
    const why =
      response.status === 401
        ? 'the hub does not know the token sent (HF_TOKEN or the file of HF_TOKEN_PATH)'
        : `the token sent (HF_TOKEN or the file of HF_TOKEN_PATH) may not create it: it needs write access to '${organization}'`;
    throw new HubError(`hub:${repository}: creating the repository: ${why}`);
  }
  const about = z.object({ private: z.boolean().optional() }).safeParse(await answerOf(info, target));
  if (isPrivate && about.data?.private !== true)
    throw new HubError(
      `hub:${repository}: the repository is there and is not private; --private only creates private ones, so nothing was uploaded`,
    );
  return false;
}

const preuploadAnswer = z.object({
  files: z.array(
    z.object({ path: z.string(), uploadMode: z.enum(['regular', 'lfs']), oid: z.string().nullish() }),
  ),
});
type Mode = z.infer<typeof preuploadAnswer>['files'][number];

/** Which files are large or binary to the hub, and what it has under their names. */
async function uploadModes(
  files: readonly Prepared[],
  target: PushTarget,
): Promise<ReadonlyMap<string, Mode>> {
  const { repository, revision } = target;
  const response = await send(target, {
    ...{ method: 'POST', url: `/api/models/${repository}/preupload/${encodeURIComponent(revision)}` },
    ...json({ files: files.map(({ path, content, sample }) => ({ path, sample, size: content.size })) }),
    doing: 'asking how files are uploaded',
  });
  const parsed = preuploadAnswer.safeParse(await answerOf(response, target));
  const modes = new Map(parsed.data?.files.map((file) => [file.path, file]));
  const missing = files.find(({ path }) => !modes.has(path));
  if (missing)
    throw new HubError(`hub:${repository}: the hub does not say how ${missing.path} is to be uploaded`);
  return modes;
}

function isReplaced({ path, sha256, gitHash }: Prepared, modes: ReadonlyMap<string, Mode>): boolean {
  const { oid } = modes.get(path) ?? {};
  return typeof oid === 'string' && oid !== sha256 && oid !== gitHash;
}

/** One request with all files, of large ones only their hashes. */
async function commitFiles(
  files: readonly Prepared[],
  { target, large, summary }: { target: PushTarget; large: readonly Upload[]; summary: string },
): Promise<{ commit: string | undefined }> {
  const lines: object[] = [{ key: 'header', value: { summary, description: '' } }];
  for (const { path, content, sha256 } of files)
    lines.push(
      large.some((file) => file.path === path)
        ? { key: 'lfsFile', value: { path, algo: 'sha256', oid: sha256, size: content.size } }
        : {
            key: 'file',
            value: {
              path,
              encoding: 'base64',
              content: Buffer.from(await content.arrayBuffer()).toString('base64'),
            },
          },
    );
  const response = await send(target, {
    ...{
      method: 'POST',
      url: `/api/models/${target.repository}/commit/${encodeURIComponent(target.revision)}`,
    },
    body: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    headers: { 'content-type': 'application/x-ndjson' },
    doing: 'the commit',
    // If the answer is lost, the commit may be there.
    once: true,
  });
  const answer = z.object({ commitOid: z.string().optional() }).safeParse(await answerOf(response, target));
  return { commit: answer.data?.commitOid };
}

/** Large files go to the hub's store first, by Git LFS's batch protocol (git-lfs, docs/api/batch.md) with the hub's own `multipart` transfer. */
import { z } from 'zod';
import { HubError } from '../settings.ts';
import { answerOf, json, type PushTarget, send } from './api.ts';

/** A file on its way to a repository. */
export interface Upload {
  /** In the repository. */
  readonly path: string;
  readonly content: Blob;
  readonly sha256: string;
}

const action = z.object({ href: z.string(), header: z.record(z.string(), z.string()).optional() });
const batchAnswer = z.object({
  objects: z.array(
    z.object({
      oid: z.string(),
      actions: z.object({ upload: action.optional(), verify: action.optional() }).optional(),
      error: z.object({ code: z.number(), message: z.string() }).optional(),
    }),
  ),
});

const lfs = 'application/vnd.git-lfs+json';

/** Uploads what the store does not have yet; nothing refers to it before a commit does. @throws HubError */
export async function uploadLarge(
  files: readonly Upload[],
  target: PushTarget,
  onNotice: ((line: string) => void) | undefined,
): Promise<void> {
  if (files.length === 0) return;
  const { repository, revision } = target;
  const answer = await send(target, {
    method: 'POST',
    url: `/${repository}.git/info/lfs/objects/batch`,
    doing: 'asking where large files go',
    body: JSON.stringify({
      operation: 'upload',
      transfers: ['basic', 'multipart'],
      objects: files.map(({ sha256, content }) => ({ oid: sha256, size: content.size })),
      hash_algo: 'sha256',
      ref: { name: revision },
    }),
    headers: { accept: lfs, 'content-type': lfs },
  });
  const parsed = batchAnswer.safeParse(await answerOf(answer, target));
  if (!parsed.success) throw new HubError(`hub:${repository}: the hub does not say where large files go`);
  for (const file of files) {
    const found = parsed.data.objects.find(({ oid }) => oid === file.sha256);
    const problem = found ? found.error?.message : 'the hub does not say where it goes';
    if (problem !== undefined) throw new HubError(`hub:${repository}: ${file.path}: ${problem}`);
    const { upload, verify } = found?.actions ?? {};
    if (!upload) {
      onNotice?.(`${file.path}: the hub has it already`);
      continue;
    }
    onNotice?.(`uploading ${file.path} (${(file.content.size / 1e6).toFixed(1)} MB)`);
    const doing = `uploading ${file.path}`;
    if (upload.header?.chunk_size === undefined)
      await send(target, {
        ...{ method: 'PUT', url: upload.href, body: file.content, doing },
        ...(upload.header && { headers: upload.header }),
      });
    else await inParts(file, { target, href: upload.href, header: upload.header });
    if (verify)
      await send(target, {
        ...{ method: 'POST', url: verify.href, doing: `checking ${file.path}` },
        ...json({ oid: file.sha256, size: file.content.size }, lfs),
      });
  }
}

/** The header has an address for each part, by its number. */
async function inParts(
  { path, content, sha256 }: Upload,
  { target, href, header }: { target: PushTarget; href: string; header: Readonly<Record<string, string>> },
): Promise<void> {
  const size = Number(header.chunk_size);
  const addresses = Object.entries(header)
    .filter(([number]) => /^\d+$/.test(number))
    .sort(([a], [b]) => Number(a) - Number(b));
  if (!(size > 0) || addresses.length !== Math.ceil(content.size / size))
    throw new HubError(`hub:${target.repository}: ${path}: the hub's parts do not add up to the file`);
  const parts: { partNumber: number; etag: string }[] = [];
  for (const [index, [, url]] of addresses.entries()) {
    const doing = `uploading ${path}, part ${index + 1} of ${addresses.length}`;
    const body = content.slice(index * size, (index + 1) * size);
    const { headers } = await send(target, { method: 'PUT', url, body, doing });
    const etag = headers.get('etag');
    if (!etag) throw new HubError(`hub:${target.repository}: ${doing}: the store gave no ETag`);
    parts.push({ partNumber: index + 1, etag });
  }
  await send(target, {
    method: 'POST',
    url: href,
    doing: `completing ${path}`,
    ...json({ oid: sha256, parts }, lfs),
  });
}

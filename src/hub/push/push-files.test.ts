/** Against a local hub that answers like huggingface.co; network and disk are real. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cache, config, folder, get, impatient, serve, weights } from '../../../test/hub-client.ts';
import { type HubServer, sha256 } from '../../../test/hub-server.ts';
import { HubError } from '../settings.ts';
import { type PushOptions, pushFiles } from './push-files.ts';

const writing = { token: 'hf_write', owners: ['me', 'timm'] };
const card = Buffer.from('# A card\n');
/** Not the bytes that the served repository has. */
const own = Buffer.from(weights).reverse();

async function push(
  server: HubServer,
  {
    token = 'hf_write',
    model = own,
    ...options
  }: Partial<PushOptions> & { token?: string | undefined; model?: Uint8Array } = {},
) {
  const files = await Promise.all(
    Object.entries({ 'README.md': card, 'config.json': config, 'model.safetensors': model }).map(
      async ([path, bytes]) => {
        const file = join(folder, path);
        await writeFile(file, bytes);
        return { path, file };
      },
    ),
  );
  return pushFiles({
    repository: 'me/photos',
    revision: 'main',
    settings: { endpoint: server.endpoint, cache, token, offline: false },
    patience: impatient(),
    summary: 'Add a model',
    files,
    ...options,
  });
}

const filesOf = (server: HubServer, name = 'me/photos') =>
  Object.fromEntries(
    Object.entries(server.repositories[name]?.files ?? {}).map(([path, { body, large = false }]) => [
      path,
      { sha256: sha256(body), large },
    ]),
  );

const whole = {
  'README.md': { sha256: sha256(card), large: false },
  'config.json': { sha256: sha256(config), large: false },
  'model.safetensors': { sha256: sha256(own), large: true },
};

describe('pushing files', () => {
  it('creates the repository, uploads the large file to the store, and commits all at once', async () => {
    const server = await serve({ writing });
    const pushed = await push(server);
    expect(pushed).toEqual({
      repository: 'me/photos',
      commit: server.repositories['me/photos']?.commit,
      url: `${server.endpoint}/me/photos`,
      created: true,
      replaced: [],
    });
    expect(filesOf(server)).toEqual(whole);
    const sent = server.requests.map(({ server: origin, method, path, headers }) => [
      ...[origin, method, path.replace(sha256(own), 'OID')],
      headers.authorization,
    ]);
    const token = 'Bearer hf_write';
    expect(sent).toEqual([
      ['hub', 'POST', '/api/repos/create', token],
      ['hub', 'POST', '/api/models/me/photos/preupload/main', token],
      ['hub', 'POST', '/me/photos.git/info/lfs/objects/batch', token],
      ['store', 'PUT', '/signed/OID', undefined],
      ['hub', 'POST', '/me/photos.git/info/lfs/verify', token],
      ['hub', 'POST', '/api/models/me/photos/commit/main', token],
    ]);
    const path = await get(server, 'model.safetensors', { repository: 'me/photos' });
    expect(await readFile(path as string)).toEqual(own);
  });

  it('uploads in the parts that the hub asks for', async () => {
    const server = await serve({ writing: { ...writing, chunkSize: 80_000 } });
    await push(server);
    expect(filesOf(server)).toEqual(whole);
    const puts = server.requests.filter(({ method }) => method === 'PUT');
    expect(puts.map(({ headers }) => headers['content-length'])).toEqual(['80000', '80000', '40000']);
  });

  it('says which files of the repository are replaced, and uploads nothing twice', async () => {
    const server = await serve({ writing, files: { 'README.md': { body: Buffer.from('by hand') } } });
    const notices: string[] = [];
    const onNotice = (line: string) => void notices.push(line);
    const pushed = await push(server, { repository: 'timm/inception_v4.tf_in1k', onNotice, model: weights });
    expect(pushed).toMatchObject({ created: false, replaced: ['README.md'] });
    expect(notices).toEqual(['model.safetensors: the hub has it already']);
    expect(server.requests.filter(({ method }) => method === 'PUT')).toEqual([]);
    expect(filesOf(server, 'timm/inception_v4.tf_in1k')).toEqual({
      ...whole,
      'model.safetensors': { sha256: sha256(weights), large: true },
    });
  });

  it('makes a private repository, and refuses to push privately to a public one', async () => {
    const server = await serve({ writing });
    await push(server, { private: true });
    expect(server.repositories['me/photos']?.token).toBe('hf_write');
    await push(server, { private: true });
    await expect(push(server, { repository: 'timm/inception_v4.tf_in1k', private: true })).rejects.toThrow(
      'hub:timm/inception_v4.tf_in1k: the repository is there and is not private; --private only creates private ones, so nothing was uploaded',
    );
  });

  it('tries an upload again that was cut off', async () => {
    const server = await serve({ writing });
    server.fail({ server: 'store', method: 'PUT', breakAfter: 1 });
    server.fail({ server: 'store', method: 'PUT', status: 503 });
    await push(server);
    expect(filesOf(server)).toEqual(whole);
  });
});

describe('a push that fails', () => {
  it.each<[what: string, path: string, status: number | undefined, message: RegExp]>([
    [
      'an upload that is cut off every time',
      '/signed/',
      undefined,
      /uploading model\.safetensors: .*the connection failed.*\(tried 5 times\)/,
    ],
    [
      'an upload that the store refuses',
      '/signed/',
      403,
      /uploading model\.safetensors: 127\.0\.0\.1:\d+ responded 403/,
    ],
    [
      'a check of the upload',
      '/verify',
      500,
      /checking model\.safetensors: 127\.0\.0\.1:\d+ responded 500 \(tried 5 times\)/,
    ],
    [
      'the commit',
      '/commit/',
      412,
      /the commit: someone else has changed the repository in the meantime; push again/,
    ],
  ])('by %s commits nothing and says what is there', async (_, path, status, message) => {
    const server = await serve({ writing });
    server.fail({ path, times: 9, ...(status === undefined ? { breakAfter: 1 } : { status }) });
    const notices: string[] = [];
    const failing = push(server, { onNotice: (line) => void notices.push(line) });
    await expect(failing).rejects.toThrow(message);
    expect(filesOf(server)).toEqual({});
    expect(notices.at(-1)).toBe(
      `the repository ${server.endpoint}/me/photos was created and is empty; push again to fill it`,
    );
  });

  it.each<[what: string, options: Partial<PushOptions> & { token?: string }, message: RegExp]>([
    ['a token that the hub does not know', { token: 'hf_other' }, /the hub does not know the token sent/],
    [
      'a token for other owners',
      { repository: 'you/photos' },
      /may not create it: it needs write access to 'you'/,
    ],
    [
      'a branch that is not there',
      { revision: 'draft' },
      /the commit: there is no such repository or branch/,
    ],
    [
      'a name that is none',
      { repository: 'photos' },
      /'photos': expected a repository on the hub, owner\/name/,
    ],
  ])('for %s is refused', async (_, options, message) => {
    const server = await serve({ writing });
    await expect(push(server, options)).rejects.toThrow(message);
    await expect(push(server, options)).rejects.toThrow(HubError);
    expect(filesOf(server)).toEqual({});
  });

  it('because the token may only read is told as 403', async () => {
    const server = await serve({
      writing: { ...writing, owners: ['me'] },
    });
    await expect(push(server, { repository: 'timm/inception_v4.tf_in1k' })).rejects.toThrow(
      /asking how files are uploaded: the token sent .* may not write there; it needs write access to this owner: You don't have the rights/,
    );
  });

  it('without a token, or offline, sends nothing', async () => {
    const server = await serve({ writing });
    const settings = { endpoint: server.endpoint, cache, token: undefined, offline: false };
    await expect(push(server, { settings })).rejects.toThrow(
      `hub:me/photos: pushing needs a token; set HF_TOKEN to one with write access (${server.endpoint}/settings/tokens)`,
    );
    await expect(
      push(server, { settings: { ...settings, token: 'hf_write', offline: true } }),
    ).rejects.toThrow('hub:me/photos: HF_HUB_OFFLINE forbids to push');
    expect(server.requests).toEqual([]);
  });
});

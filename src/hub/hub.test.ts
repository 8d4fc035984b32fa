/** Against a local server that behaves like the hub; network and disk are real. */
import { lstat, readdir, readFile, readlink, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import {
  blobs,
  cache,
  commit,
  config,
  counts,
  folder,
  get,
  impatient,
  leavePartial,
  name,
  serve,
  weights,
} from '../../test/hub-client.ts';
import { gitHash, sha256 } from '../../test/hub-server.ts';
import { linkSnapshot } from './cache.ts';
import { type HubProgress, hubFile, hubSettings } from './hub.ts';

describe('a file from the hub', () => {
  it.each([
    ['quoted', `"${gitHash(config)}"`],
    ['weak', `W/"${gitHash(config)}"`],
  ])('that is small, with a %s etag, is cached in the layout of the library', async (_, etag) => {
    const server = await serve({ files: { 'config.json': { body: config, etag } } });
    const path = (await get(server, 'config.json')) as string;
    expect(path).toBe(join(cache, name, 'snapshots', commit, 'config.json'));
    expect(await readFile(path)).toEqual(config);
    expect(await readlink(path)).toBe(join('..', '..', 'blobs', gitHash(config)));
    expect(await readFile(join(cache, name, 'refs', 'main'), 'utf8')).toBe(commit);
    expect(await blobs()).toEqual([gitHash(config)]);
    expect(await readdir(join(cache, '.locks', name))).toEqual([]);
    expect(server.requests[0]?.headers['user-agent']).toMatch(/^inception\/\d+\.\d+\.\d+$/);
  });

  it('that is large comes from another origin, which does not receive the token', async () => {
    const server = await serve();
    const path = await get(server, 'model.safetensors', { settings: { token: 'hf_own' } });
    expect(await readFile(path as string)).toEqual(weights);
    expect(await blobs()).toEqual([sha256(weights)]);
    const sent = server.requests.map(({ server: origin, method, headers }) => [
      origin,
      method,
      headers.authorization,
    ]);
    expect(sent).toEqual([
      ['hub', 'HEAD', 'Bearer hf_own'],
      ['hub', 'GET', 'Bearer hf_own'],
      ['store', 'GET', undefined],
    ]);
  });

  it('in a folder of the repository, at a branch with a slash, links to its blob', async () => {
    const server = await serve({
      files: { 'onnx/a b.json': { body: config } },
      repository: { branches: ['refs/pr/1'] },
    });
    const path = (await get(server, 'onnx/a b.json', { revision: 'refs/pr/1' })) as string;
    expect(await readFile(path)).toEqual(config);
    expect(await readlink(path)).toBe(join('..', '..', '..', 'blobs', gitHash(config)));
    expect(await readFile(join(cache, name, 'refs', 'refs', 'pr', '1'), 'utf8')).toBe(commit);
  });

  it('may be empty', async () => {
    const server = await serve({ files: { empty: { body: new Uint8Array() } } });
    expect((await stat((await get(server, 'empty')) as string)).size).toBe(0);
  });

  it('is not downloaded twice, and at a fixed commit not even requested twice', async () => {
    const server = await serve();
    await get(server, 'model.safetensors');
    const gets = counts(server, 'GET');
    await get(server, 'model.safetensors');
    expect([counts(server, 'HEAD'), counts(server, 'GET')]).toEqual([2, gets]);
    await get(server, 'model.safetensors', { revision: commit });
    expect([counts(server, 'HEAD'), counts(server, 'GET')]).toEqual([2, gets]);
  });

  it('shares its blob between commits', async () => {
    const server = await serve();
    await get(server, 'model.safetensors');
    const next = 'f'.repeat(40);
    const later = await serve({ repository: { commit: next } });
    expect(await get(later, 'model.safetensors')).toContain(next);
    expect([counts(later, 'HEAD'), counts(later, 'GET')]).toEqual([1, 0]);
    expect(await readFile(join(cache, name, 'refs', 'main'), 'utf8')).toBe(next);
  });

  it('may come from an endpoint below a path', async () => {
    const server = await serve({ prefix: '/mirror/hub' });
    const settings = await hubSettings({ HF_HOME: folder, HF_ENDPOINT: `${server.endpoint}/` });
    const options = { repository: 'timm/inception_v4.tf_in1k', revision: 'main', settings };
    await hubFile({ ...options, file: 'config.json' });
    expect(await readFile((await hubFile({ ...options, file: 'model.safetensors' })) as string)).toEqual(
      weights,
    );
    expect(
      server.requests.every(
        ({ server: origin, path }) => origin === 'store' || path.startsWith('/mirror/hub/'),
      ),
    ).toBe(true);
  });

  it('of a private repository is requested with the token from HF_TOKEN_PATH', async () => {
    const server = await serve({ repository: { token: 'hf_own' } });
    const path = join(folder, 'my-token');
    await writeFile(path, 'hf_own\n');
    const settings = await hubSettings({
      HF_HOME: folder,
      HF_ENDPOINT: server.endpoint,
      HF_TOKEN_PATH: path,
    });
    expect(await get(server, 'config.json', { settings })).toContain(commit);
  });

  it('reports its progress', async () => {
    const server = await serve();
    const reports: HubProgress[] = [];
    await get(server, 'model.safetensors', { onProgress: (progress) => reports.push(progress) });
    const received = reports.map((progress) => progress.done);
    expect(received[0]).toBe(0);
    expect(received.at(-1)).toBe(weights.length);
    expect(received).toEqual([...received].sort((a, b) => a - b));
    expect(new Set(reports.map(({ file, total }) => `${file} ${total}`))).toEqual(
      new Set([`model.safetensors ${weights.length}`]),
    );
  });

  it('is fetched without printing anything', async () => {
    const printed = [
      vi.spyOn(process.stdout, 'write'),
      vi.spyOn(process.stderr, 'write'),
      ...(['log', 'info', 'warn', 'error'] as const).map((method) => vi.spyOn(console, method)),
    ];
    const server = await serve();
    server.fail({ server: 'store', breakAfter: 1000 });
    await get(server, 'model.safetensors');
    await get(server, 'absent').catch(() => undefined);
    const calls = printed.map((spy) => spy.mock.calls.length);
    for (const spy of printed) spy.mockRestore();
    expect(calls).toEqual(calls.map(() => 0));
  });

  it('is copied where links are impossible', async () => {
    const blob = join(folder, 'blobs', 'abc');
    const path = join(folder, 'snapshots', commit, 'config.json');
    await leavePartial(config, blob);
    await linkSnapshot({ path, blob }, () => Promise.reject(Object.assign(new Error(), { code: 'EPERM' })));
    expect((await lstat(path)).isSymbolicLink()).toBe(false);
    expect(await readFile(path)).toEqual(config);
    expect(await readdir(join(path, '..'))).toEqual(['config.json']);
  });
});

describe('an error response', () => {
  const prefix = 'hub:timm/inception_v4.tf_in1k@main: config.json: ';

  it('401 says to set HF_TOKEN', async () => {
    const server = await serve({ repository: { token: 'hf_own' } });
    await expect(get(server, 'config.json')).rejects.toThrow(
      `${prefix}no repository 'timm/inception_v4.tf_in1k' at ${server.endpoint}, or it is private: set HF_TOKEN`,
    );
    server.fail({ status: 401 });
    await expect(get(server, 'config.json', { settings: { token: 'hf_other' } })).rejects.toThrow(
      `${prefix}access denied (401): the token sent (HF_TOKEN or the file of HF_TOKEN_PATH) has no access`,
    );
  });

  it('403 of a gated repository says where to accept the licence', async () => {
    const server = await serve({ repository: { gated: true } });
    await expect(get(server, 'config.json', { settings: { token: 'hf_own' } })).rejects.toThrow(
      `${prefix}the repository is gated: accept its licence at ${server.endpoint}/timm/inception_v4.tf_in1k, then`,
    );
    await expect(get(server, 'config.json')).rejects.toThrow('set HF_TOKEN');
  });

  it('404 says whether the repository, the revision or the file is missing', async () => {
    const server = await serve();
    const token = { settings: { token: 'hf_own' } };
    await expect(get(server, 'config.json', { repository: 'timm/absent', ...token })).rejects.toThrow(
      `no accessible repository 'timm/absent' at ${server.endpoint}`,
    );
    await expect(get(server, 'config.json', { revision: 'v2' })).rejects.toThrow(
      "the repository 'timm/inception_v4.tf_in1k' has no branch, tag or commit 'v2'",
    );
    await expect(get(server, 'absent.json')).rejects.toThrow(
      "the repository 'timm/inception_v4.tf_in1k' has no file 'absent.json' at the revision 'main'",
    );
    expect(counts(server, 'HEAD')).toBe(3);
  });

  it('is undefined only for a missing optional file, which is remembered', async () => {
    const server = await serve();
    const optional = { optional: true };
    expect(await get(server, 'absent.json', optional)).toBeUndefined();
    expect((await stat(join(cache, name, '.no_exist', commit, 'absent.json'))).size).toBe(0);
    expect(await get(server, 'absent.json', { ...optional, settings: { offline: true } })).toBeUndefined();
    await expect(get(server, 'config.json', { ...optional, revision: 'v2' })).rejects.toThrow("'v2'");
    await expect(get(server, 'x', { ...optional, repository: 'timm/absent' })).rejects.toThrow('timm/absent');
  });

  it('of the storage host does not mention tokens', async () => {
    const server = await serve();
    server.fail({ server: 'store', status: 403 });
    await expect(get(server, 'model.safetensors')).rejects.toThrow(
      /where the hub stores the file, responded 403$/,
    );
  });

  it('from a server that is not a hub is recognised', async () => {
    const server = await serve();
    server.fail({ status: 200 });
    await expect(get(server, 'config.json')).rejects.toThrow(
      'responded without X-Repo-Commit; is HF_ENDPOINT',
    );
  });
});

describe('without a network', () => {
  const unreachable = { endpoint: 'http://127.0.0.1:1' };

  it('HF_HUB_OFFLINE uses the cache and sends no request', async () => {
    const server = await serve();
    const path = await get(server, 'config.json');
    const before = server.requests.length;
    expect(await get(server, 'config.json', { settings: { offline: true } })).toBe(path);
    await expect(get(server, 'model.safetensors', { settings: { offline: true } })).rejects.toThrow(
      `hub:timm/inception_v4.tf_in1k@main: model.safetensors: not in the cache ${cache}, and HF_HUB_OFFLINE forbids downloading it`,
    );
    // Whether the file exists is unknown, so that "undefined" would be a guess.
    await expect(get(server, 'other', { optional: true, settings: { offline: true } })).rejects.toThrow(
      'HF_HUB_OFFLINE',
    );
    expect(server.requests.length).toBe(before);
  });

  it('uses the cached file, with a notice', async () => {
    const path = await get(await serve(), 'config.json');
    const notices: string[] = [];
    const waits: number[] = [];
    const cached = await get(unreachable, 'config.json', {
      patience: impatient(waits),
      onNotice: (line) => notices.push(line),
    });
    expect(cached).toBe(path);
    expect(waits).toEqual([]);
    expect(notices).toEqual([
      expect.stringMatching(/the connection failed \(.+\); using the cached copy of commit 0123456789abcdef/),
    ]);
  });

  it('does not use a cached file whose blob was deleted', async () => {
    const server = await serve();
    const path = (await get(server, 'config.json')) as string;
    await unlink(join(cache, name, 'blobs', gitHash(config)));
    await expect(get(unreachable, 'config.json')).rejects.toThrow(
      /the connection failed \(.+\) \(tried 5 times\)/,
    );
    expect(await get(server, 'config.json')).toBe(path);
    expect(await readFile(path)).toEqual(config);
  });
});

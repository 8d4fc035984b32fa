/** Names, etags and commits from the hub are untrusted. */
import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { commit, config, folder, get, serve, weights } from '../../test/hub-client.ts';

describe('a malicious server', () => {
  const allFiles = async (): Promise<string[]> =>
    (await readdir(folder, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map(({ name: file }) => file);

  it.each([['"../../../etc"'], ['"a/b"'], ['"a\\b"'], ['".."'], ['"."'], ['"x.incomplete"'], ['"a:b"']])(
    'cannot choose the path of a blob: %s',
    async (etag) => {
      const small = await serve({ files: { 'config.json': { body: config, etag } } });
      await expect(get(small, 'config.json')).rejects.toThrow('is not a safe file name; nothing was written');
      const large = await serve({ files: { 'model.safetensors': { body: weights, large: true, etag } } });
      await expect(get(large, 'model.safetensors')).rejects.toThrow('is not a safe file name');
      expect(await allFiles()).toEqual([]);
    },
  );

  it.each(['../../../../x', '/etc', '..', 'a\\..\\b'])('cannot choose the commit: %s', async (hostile) => {
    const server = await serve({ repository: { commit: hostile } });
    await expect(get(server, 'config.json')).rejects.toThrow('X-Repo-Commit');
    await expect(get(server, 'absent', { optional: true })).rejects.toThrow('X-Repo-Commit');
    expect(await allFiles()).toEqual([]);
  });

  it('cannot return another commit than the requested one', async () => {
    const server = await serve({ repository: { branches: ['f'.repeat(40)] } });
    await expect(get(server, 'config.json', { revision: 'f'.repeat(40) })).rejects.toThrow(
      `expected the requested commit, received ${commit}`,
    );
  });

  it.each(['../x', '/etc/passwd', 'a/../../x', 'a//b', '', '.', 'a\\b', 'C:x'])(
    'cannot be asked for a file named %j',
    async (file) => {
      const server = await serve();
      await expect(get(server, file)).rejects.toThrow('is not a file name in a repository');
      expect(server.requests).toEqual([]);
    },
  );

  it.each(['file:///etc/passwd', 'http://', '/loop'])('cannot redirect to %s', async (location) => {
    const server = await serve();
    server.fail({ status: 302, headers: { Location: location }, times: 99 });
    await expect(get(server, 'config.json')).rejects.toThrow(/which is not allowed|more than 10 redirects/);
  });
});

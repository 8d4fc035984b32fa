/** The hub's names, etags and commits come from strangers. */
import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { commit, config, folder, get, serve, weights } from '../../test/hub-client.ts';

describe('a hostile server', () => {
  const everything = async (): Promise<string[]> =>
    (await readdir(folder, { recursive: true, withFileTypes: true }))
      .filter((each) => each.isFile())
      .map(({ name: file }) => file);

  it.each([['"../../../etc"'], ['"a/b"'], ['"a\\b"'], ['".."'], ['"."'], ['"x.incomplete"'], ['"a:b"']])(
    'cannot choose where a blob goes: %s',
    async (etag) => {
      const small = await serve({ files: { 'config.json': { body: config, etag } } });
      await expect(get(small, 'config.json')).rejects.toThrow(
        'cannot be the name of a file; nothing was written',
      );
      const large = await serve({ files: { 'model.safetensors': { body: weights, large: true, etag } } });
      await expect(get(large, 'model.safetensors')).rejects.toThrow('cannot be the name of a file');
      expect(await everything()).toEqual([]);
    },
  );

  it.each(['../../../../x', '/etc', '..', 'a\\..\\b'])('cannot choose the commit: %s', async (hostile) => {
    const server = await serve({ repository: { commit: hostile } });
    await expect(get(server, 'config.json')).rejects.toThrow('X-Repo-Commit');
    await expect(get(server, 'absent', { optional: true })).rejects.toThrow('X-Repo-Commit');
    expect(await everything()).toEqual([]);
  });

  it('cannot give another commit than the one that was asked for', async () => {
    const server = await serve({ repository: { branches: ['f'.repeat(40)] } });
    await expect(get(server, 'config.json', { revision: 'f'.repeat(40) })).rejects.toThrow(
      `expected the commit that was asked for, received ${commit}`,
    );
  });

  it.each(['../x', '/etc/passwd', 'a/../../x', 'a//b', '', '.', 'a\\b', 'C:x'])(
    'has no file called %j',
    async (file) => {
      const server = await serve();
      await expect(get(server, file)).rejects.toThrow('is no name of a file in a repository');
      expect(server.requests).toEqual([]);
    },
  );

  it.each(['file:///etc/passwd', 'http://', '/loop'])('cannot redirect to %s', async (location) => {
    const server = await serve();
    server.fail({ status: 302, headers: { Location: location }, times: 99 });
    await expect(get(server, 'config.json')).rejects.toThrow(/which is not followed|more than 10 redirects/);
  });
});

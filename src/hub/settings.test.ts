/** Names and environment variables of the hub. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder } from '../../test/hub-client.ts';
import { hubSettings, parseHubName } from './hub.ts';

describe('names on the hub', () => {
  it('have an optional revision', () => {
    expect(parseHubName('hub:timm/inception_v4.tf_in1k')).toEqual({
      repository: 'timm/inception_v4.tf_in1k',
      revision: 'main',
    });
    expect(parseHubName('hub:a/b@refs/pr/1')).toEqual({ repository: 'a/b', revision: 'refs/pr/1' });
  });

  it.each([
    ['timm/inception_v4', 'expected hub:owner/name or hub:owner/name@revision'],
    ['hub:inception_v4', 'expected hub:owner/name'],
    ['hub:../b', "'../b': expected a repository on the hub"],
    ['hub:a/b--c', 'expected a repository on the hub'],
    ['hub:a/b@', 'is not the name of a branch, tag or commit'],
    ['hub:a/b@../../x', 'is not the name of a branch, tag or commit'],
    ['hub:a/b@x\\y', 'is not the name of a branch, tag or commit'],
  ])('%s is refused', (text, message) => {
    expect(() => parseHubName(text)).toThrow(message);
  });
});

describe('the environment variables of the hub', () => {
  it('have the defaults of the library', async () => {
    const settings = await hubSettings({ XDG_CACHE_HOME: folder });
    expect(settings).toEqual({
      endpoint: 'https://huggingface.co',
      cache: join(folder, 'huggingface', 'hub'),
      token: undefined,
      offline: false,
    });
  });

  it('set the cache: HF_HUB_CACHE takes precedence over HF_HOME', async () => {
    expect((await hubSettings({ HF_HOME: folder })).cache).toBe(join(folder, 'hub'));
    expect((await hubSettings({ HF_HOME: folder, HF_HUB_CACHE: '/there' })).cache).toBe('/there');
  });

  it('set the token: HF_TOKEN, then the file of HF_TOKEN_PATH, then $HF_HOME/token', async () => {
    const [path, other] = [join(folder, 'token'), join(folder, 'other')];
    await writeFile(path, 'hf_home\n');
    await writeFile(other, ' hf_path\n');
    expect((await hubSettings({ HF_HOME: folder })).token).toBe('hf_home');
    expect((await hubSettings({ HF_HOME: folder, HF_TOKEN_PATH: other })).token).toBe('hf_path');
    expect((await hubSettings({ HF_HOME: folder, HF_TOKEN_PATH: other, HF_TOKEN: 'hf_own' })).token).toBe(
      'hf_own',
    );
  });

  it('are named in the error if invalid, without repeating a token', async () => {
    await expect(hubSettings({ HF_ENDPOINT: 'hub.example' })).rejects.toThrow('HF_ENDPOINT: expected a URL');
    const failure = await hubSettings({ HF_TOKEN: 'hf_secret and more' }).catch(
      (error: Error) => error.message,
    );
    expect(failure).toContain('HF_TOKEN: expected a token');
    expect(failure).not.toContain('secret');
  });

  it.each([
    ['1', true],
    ['TRUE', true],
    ['yes', true],
    ['On', true],
    ['0', false],
    ['', false],
  ])('HF_HUB_OFFLINE=%s', async (value, offline) => {
    expect((await hubSettings({ HF_HOME: folder, HF_HUB_OFFLINE: value })).offline).toBe(offline);
  });
});

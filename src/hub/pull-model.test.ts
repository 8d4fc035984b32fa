import { readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cache, commit, counts, get, name as modelFolder, serve, weights } from '../../test/hub-client.ts';
import { pullHubModel } from './pull-model.ts';

const name = 'hub:timm/inception_v4.tf_in1k';
const useHub = (endpoint: string, offline = '') => {
  vi.stubEnv('HF_ENDPOINT', endpoint);
  vi.stubEnv('HF_HUB_CACHE', cache);
  vi.stubEnv('HF_HUB_OFFLINE', offline);
};
afterEach(() => vi.unstubAllEnvs());

describe('pullHubModel', () => {
  it('shows the config before it downloads the weights', async () => {
    const server = await serve();
    useHub(server.endpoint);
    const refuse = () => {
      throw new Error('another network');
    };
    await expect(pullHubModel(name, { onConfig: refuse })).rejects.toThrow('another network');
    expect(server.requests.filter(({ path }) => path.includes('model.safetensors'))).toEqual([]);
  });

  it('finds the older file of weights in a cache, offline', async () => {
    const server = await serve({ files: { 'pytorch_model.bin': { body: weights, large: true } } });
    await get(server, 'config.json');
    useHub(server.endpoint, '1');
    await expect(pullHubModel(name)).rejects.toThrow('model.safetensors: not in the cache');
    // As another tool leaves it: the cache does not know that there is no model.safetensors.
    const path = await get(server, 'pytorch_model.bin');
    expect((await pullHubModel(name)).weights).toBe(path);
  });
});

describe('a file that is larger than any of its kind', () => {
  it('is refused before it is downloaded, or when it does not end', async () => {
    const server = await serve();
    await expect(get(server, 'model.safetensors', { maxBytes: 1000 })).rejects.toThrow(
      'model.safetensors: it has 200000 bytes, the limit is 1000',
    );
    expect(counts(server, 'GET')).toBe(0);
  });

  it('is given up where it does not end, and nothing of it stays', async () => {
    const endless = createServer((request, response) => {
      response.writeHead(200, { 'x-repo-commit': commit, etag: '"endless"' });
      if (request.method === 'HEAD') return response.end();
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(4096)));
      };
      response.on('drain', more);
      more();
    });
    await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve));
    const { port } = endless.address() as AddressInfo;
    try {
      await expect(
        get({ endpoint: `http://127.0.0.1:${port}` }, 'config.json', { maxBytes: 100_000 }),
      ).rejects.toThrow(/config\.json: 127\.0\.0\.1:\d+ sent more than 100000 bytes, the limit/);
      const blobs = join(cache, modelFolder, 'blobs');
      for (const file of await readdir(blobs)) expect((await stat(join(blobs, file))).size).toBe(0);
    } finally {
      endless.closeAllConnections();
      endless.close();
    }
  });
});

/** Interrupted, stalled, corrupt and concurrent downloads, against a test server that misbehaves on demand. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  blobs,
  cache,
  config,
  counts,
  folder,
  get,
  impatient,
  leavePartial,
  name,
  partial,
  serve,
  weights,
} from '../../test/hub-client.ts';
import { type Fault, gitHash, type HubServer, sha256 } from '../../test/hub-server.ts';
import type { HubProgress } from './hub.ts';
import { withLock } from './lock.ts';

describe('a download', () => {
  const rangesOf = (server: HubServer, host: string) =>
    server.requests
      .filter((request) => request.server === host && request.method === 'GET')
      .map(({ headers }) => headers.range);

  it('resumes after the connection breaks', async () => {
    const server = await serve();
    server.fail({ server: 'store', breakAfter: 50_000 });
    const waits: number[] = [];
    const path = await get(server, 'model.safetensors', { patience: impatient(waits) });
    expect(await readFile(path as string)).toEqual(weights);
    expect(rangesOf(server, 'store')).toEqual([undefined, 'bytes=50000-']);
    expect(waits).toEqual([1000]);
  });

  it('may break any number of times as long as it makes progress', async () => {
    const server = await serve();
    server.fail({ server: 'store', breakAfter: 20_000, times: 9 });
    expect(await readFile((await get(server, 'model.safetensors')) as string)).toEqual(weights);
  });

  it('fails after five tries without progress, each after a longer delay', async () => {
    const server = await serve();
    server.fail({ server: 'store', breakAfter: 0, times: 99 });
    const waits: number[] = [];
    await expect(get(server, 'model.safetensors', { patience: impatient(waits) })).rejects.toThrow(
      /^hub:timm\/inception_v4\.tf_in1k@main: model\.safetensors: 127\.0\.0\.1:\d+: the connection failed \(.+\) \(tried 5 times\)$/,
    );
    expect(waits).toEqual([1000, 2000, 4000, 8000]);
  });

  it('treats a stall as a broken connection', async () => {
    const server = await serve();
    server.fail({ server: 'store', stallAfter: 30_000 });
    const path = await get(server, 'model.safetensors', { patience: { ...impatient(), stallMs: 300 } });
    expect(await readFile(path as string)).toEqual(weights);
    expect(rangesOf(server, 'store')).toEqual([undefined, 'bytes=30000-']);
  });

  it('resumes what an earlier process left', async () => {
    const server = await serve();
    await leavePartial(weights.subarray(0, 12_345));
    const reported: number[] = [];
    await get(server, 'model.safetensors', { onProgress: ({ done }) => reported.push(done) });
    expect(reported[0]).toBe(12_345);
    expect(await blobs()).toEqual([sha256(weights)]);
    expect(rangesOf(server, 'store')).toEqual(['bytes=12345-']);
  });

  it('requests nothing if the file is complete but not yet renamed', async () => {
    const server = await serve();
    await leavePartial(weights);
    expect(await readFile((await get(server, 'model.safetensors')) as string)).toEqual(weights);
    expect(counts(server, 'GET')).toBe(0);
  });

  it.each<[string, Fault]>([
    ['ignores the range', { server: 'store', ignoreRange: true }],
    ['refuses the range', { server: 'store', status: 416 }],
  ])('starts over if the server %s', async (_, fault) => {
    const server = await serve();
    await leavePartial(weights.subarray(0, 1000));
    server.fail(fault);
    expect(await readFile((await get(server, 'model.safetensors')) as string)).toEqual(weights);
  });

  it('starts over if the partial file is larger than the file', async () => {
    const server = await serve();
    await leavePartial(Buffer.concat([weights, weights]));
    expect(await readFile((await get(server, 'model.safetensors')) as string)).toEqual(weights);
    expect(rangesOf(server, 'store')).toEqual([undefined]);
  });

  it('of a small file resumes with a strong etag, and starts over with a weak one', async () => {
    const strong = await serve({ files: { 'vocabulary.txt': { body: weights } } });
    const path = join(cache, name, 'blobs', `${gitHash(weights)}.incomplete`);
    await leavePartial(weights.subarray(0, 1000), path);
    await get(strong, 'vocabulary.txt');
    const requestHeaders = strong.requests.at(-1)?.headers;
    expect([requestHeaders?.range, requestHeaders?.['if-range']]).toEqual([
      'bytes=1000-',
      `"${gitHash(weights)}"`,
    ]);
    await rm(cache, { recursive: true });

    const etag = `W/"${gitHash(weights)}"`;
    const weak = await serve({ files: { 'vocabulary.txt': { body: weights, etag } } });
    await leavePartial(weights.subarray(0, 1000), path);
    expect(await readFile((await get(weak, 'vocabulary.txt')) as string)).toEqual(weights);
    expect(weak.requests.every(({ headers }) => headers['if-range'] === undefined)).toBe(true);
  });

  it('with a wrong sha256 is deleted, and the error shows both', async () => {
    const server = await serve();
    const wrong = Buffer.from(weights);
    wrong[100] = 0xff;
    server.fail({ server: 'store', body: wrong });
    await expect(get(server, 'model.safetensors')).rejects.toThrow(
      `expected sha256 ${sha256(weights)}, received ${sha256(wrong)}; the partial download was deleted`,
    );
    expect(await blobs()).toEqual([]);
    expect(await readFile((await get(server, 'model.safetensors')) as string)).toEqual(weights);
  });

  it('of more bytes than announced is stopped and deleted', async () => {
    const server = await serve();
    server.fail({ method: 'GET', server: 'hub', body: Buffer.concat([config, config]) });
    await expect(get(server, 'config.json')).rejects.toThrow(`expected ${config.length} bytes, received`);
    expect(await blobs()).toEqual([]);
  });

  it('that is aborted keeps what has arrived', async () => {
    const server = await serve();
    server.fail({ server: 'store', stallAfter: 40_000 });
    const controller = new AbortController();
    const onProgress = ({ done }: HubProgress) => void (done === 40_000 && controller.abort());
    await expect(
      get(server, 'model.safetensors', { signal: controller.signal, onProgress }),
    ).rejects.toHaveProperty('name', 'AbortError');
    expect(await readFile(partial())).toEqual(weights.subarray(0, 40_000));
    expect(await readdir(join(cache, '.locks', name))).toEqual([]);
  });
});

describe('a failing server', () => {
  it.each([
    [500, {}, 1000],
    [503, { 'Retry-After': '7' }, 7000],
    [429, { 'Retry-After': '3' }, 3000],
    [429, { 'Retry-After': '3600' }, 60_000],
  ])('that returns %i %j is retried', async (status, headers, expected) => {
    const server = await serve();
    server.fail({ method: 'HEAD', status, headers });
    const waits: number[] = [];
    await get(server, 'config.json', { patience: impatient(waits) });
    expect(waits).toEqual([expected]);
  });

  it('that returns an error instead of the bytes is retried', async () => {
    const server = await serve();
    server.fail({ server: 'store', status: 502, times: 3 });
    const waits: number[] = [];
    await get(server, 'model.safetensors', { patience: impatient(waits) });
    expect(waits).toEqual([1000, 2000, 4000]);
  });

  it('is abandoned after five tries', async () => {
    const server = await serve();
    server.fail({ status: 500, times: 99 });
    await expect(get(server, 'config.json')).rejects.toThrow(/responded 500 \(tried 5 times\)$/);
    expect(counts(server, 'HEAD')).toBe(5);
  });
});

describe('concurrent downloads of one file', () => {
  it('share one transfer and one blob', async () => {
    const server = await serve();
    const patience = {};
    const paths = await Promise.all([1, 2, 3].map(() => get(server, 'model.safetensors', { patience })));
    expect(new Set(paths).size).toBe(1);
    expect(await readFile(paths[0] as string)).toEqual(weights);
    expect(server.requests.filter(({ server: origin }) => origin === 'store')).toHaveLength(1);
    expect(await blobs()).toEqual([sha256(weights)]);
  });

  it('take over the lock of a dead process, and wait for a running one', async () => {
    const server = await serve();
    const lock = join(cache, '.locks', name, `${sha256(weights)}.inception.lock`);
    const child = fork('-e', ['0'], { execArgv: [], stdio: 'ignore' });
    await once(child, 'exit');
    await leavePartial(Buffer.from(`${child.pid} ${hostname()} 0`), lock);
    await get(server, 'model.safetensors');

    await rm(join(cache, name), { recursive: true });
    await leavePartial(Buffer.from(`${process.pid} ${hostname()} other`), lock);
    const notices: string[] = [];
    const onNotice = (line: string) => {
      notices.push(line);
      void unlink(lock);
    };
    await get(server, 'model.safetensors', { onNotice, patience: {} });
    expect(notices).toEqual([expect.stringContaining(`process ${process.pid} is downloading it`)]);
  });

  it('never hold the lock at the same time, even if all find the lock of a dead process', async () => {
    const wait = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
    for (let round = 0; round < 20; round++) {
      const lock = join(folder, 'lock');
      await writeFile(lock, `${2 ** 22 + 1} ${hostname()} 0`);
      let holders = 0;
      let maxHolders = 0;
      const work = async () => {
        maxHolders = Math.max(maxHolders, ++holders);
        await wait();
        holders--;
      };
      await Promise.all(Array.from({ length: 12 }, () => withLock(lock, { wait }, work)));
      expect(maxHolders).toBe(1);
      expect(await readdir(folder)).toEqual([]);
    }
  });

  it('take over a lock that has not been touched for long, whoever holds it', async () => {
    const lock = join(folder, 'lock');
    const wait = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
    await writeFile(lock, '1 elsewhere 0');
    await utimes(lock, new Date(0), new Date(0));
    expect(await withLock(lock, { wait }, async () => 'done')).toBe('done');
  });
});

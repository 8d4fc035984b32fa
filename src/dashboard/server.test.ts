import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile, type FileHandle, mkdir, open, stat, truncate, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { evaluationLine, sampleConfiguration, stepLine } from '../../test/sample-run.ts';
import { RunFolder } from '../train/run/run-folder.ts';
import { createDashboard, listen } from './server.ts';

describe('the dashboard', () => {
  let root: string;
  let page: string;
  let app: FastifyInstance;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'dashboard-'));
    page = join(root, 'page');
    await mkdir(join(page, 'assets'), { recursive: true });
    await writeFile(join(page, 'index.html'), '<!doctype html><title>page</title>');
    await writeFile(join(page, 'assets', 'a-1.js'), '');
    await writeFile(join(root, 'secret.txt'), 'secret');
    await new RunFolder(join(root, 'runs', 'first')).create(sampleConfiguration);
    app = await createDashboard({ runs: join(root, 'runs'), page });
  });
  afterEach(async () => {
    await app.close();
    rmSync(root, { recursive: true, force: true });
  });
  const get = (url: string) => app.inject({ url, headers: { host: 'localhost:4180' } });

  it('lists runs with their settings and progress', async () => {
    await new RunFolder(join(root, 'runs', 'first')).append(evaluationLine(20));
    const { runs, broken } = (await get('/api/runs')).json();
    expect(broken).toEqual([]);
    expect(runs).toMatchObject([
      {
        id: 'first',
        network: 'inception-v4',
        classes: 2,
        seed: 1,
        settings: { name: 'paper', 'options.classes': '2', clipNorm: 'none', precision: 'float32' },
        step: 20,
        epoch: 2,
        training: false,
        evaluation: { top1Error: 0.5 },
      },
    ]);
  });

  it('tells of a run what differs from its recipe, and which weights it has', async () => {
    const second = new RunFolder(join(root, 'runs', 'second'));
    const { recipe } = sampleConfiguration;
    await second.create({ ...sampleConfiguration, recipe: { ...recipe, epochs: 7, averageDecay: 0.5 } });
    await writeFile(second.file('model.safetensors'), 'weights');
    const about = (await get('/api/runs/second/about')).json();
    expect(about.repeat.command).toMatch(
      /^inception train inception-v4 --data photos --output second-again --recipe paper --epochs 7 .*--average-decay 0\.5/,
    );
    const marked = about.recipe.filter(({ usual }: { usual?: string }) => usual !== undefined);
    expect(marked).toEqual([
      { name: 'epochs', value: '7', usual: '160' },
      { name: 'averageDecay', value: '0.5', usual: '0.9999' },
    ]);
    expect(about).toMatchObject({ network: 'inception-v4', data: 'photos' });
    expect(about.settings).toContainEqual({ name: 'seed', value: '1' });
    expect(about.checkpoints).toMatchObject([{ name: 'model.safetensors', bytes: 7 }]);
    expect((await get('/api/runs/third/about')).statusCode).toBe(404);
  });

  it('finds the last evaluation of a long run by its end, and reads it again when the file grows', async () => {
    const folder = new RunFolder(join(root, 'runs', 'first'));
    // The evaluation lies further back than a list reads first; the first line is not read at all.
    const line = { ...stepLine(11), remark: 'x'.repeat(200) };
    const lines = [evaluationLine(10), ...Array.from({ length: 100 }, () => line)];
    const padding = Array.from({ length: 300 }, () => line);
    await appendFile(
      folder.file('metrics.jsonl'),
      [...padding, ...lines].map((each) => `${JSON.stringify(each)}\n`).join(''),
    );
    const summary = async () => (await get('/api/runs')).json().runs[0];
    expect(await summary()).toMatchObject({ step: 11, evaluation: { step: 10 } });
    await folder.append(evaluationLine(20));
    expect(await summary()).toMatchObject({ step: 20, evaluation: { step: 20 } });
  });

  it('reads of each run of a list its configuration and an end of its metrics, once', async () => {
    const lines = Array.from({ length: 200 }, (_, index) => evaluationLine(10 * (index + 1)));
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    const runs = Array.from({ length: 20 }, (_, index) => new RunFolder(join(root, 'runs', `run-${index}`)));
    for (const folder of runs) {
      await folder.create(sampleConfiguration);
      await writeFile(folder.file('metrics.jsonl'), text);
    }
    const handle = await open(join(page, 'index.html'));
    const read = vi.spyOn(Object.getPrototypeOf(handle) as FileHandle, 'read');
    await handle.close();
    const bytesOf = async () => {
      read.mockClear();
      expect((await get('/api/runs')).json().runs).toHaveLength(21);
      const results = await Promise.all(read.mock.results.map(({ value }) => value));
      return results.reduce((sum: number, { bytesRead }) => sum + bytesRead, 0);
    };
    const { size } = await stat(join(root, 'runs', 'first', 'config.json'));
    const { length } = text;
    expect(length).toBeGreaterThan(24_000);
    // 2 KiB of each run with metrics, of which 'first' has none.
    expect(await bytesOf()).toBe(21 * size + 20 * 2048);
    expect(await bytesOf()).toBe(0);
    await runs[0]?.append(evaluationLine(3000));
    expect(await bytesOf()).toBe(size + 2048);
    read.mockRestore();
  });

  it('lists an experiment with its trainings, and serves its report as nothing that runs', async () => {
    const folder = join(root, 'runs', 'claim');
    const experiment = { format: 1, claim: 'residual-connections', scale: 'minutes', seeds: 2 };
    for (const name of ['plain-seed1', 'plain-seed2'])
      await new RunFolder(join(folder, 'runs', name)).create(sampleConfiguration);
    await writeFile(join(folder, 'experiment.json'), JSON.stringify({ ...experiment, splits: ['train'] }));
    const list = async () => (await get('/api/runs')).json();
    const idsOf = ({ runs }: { runs: { id: string }[] }) => runs.map(({ id }) => id).toSorted();
    const before = await list();
    expect(idsOf(before)).toEqual(['claim/plain-seed1', 'claim/plain-seed2', 'first']);
    const listed = { id: 'claim', claim: 'residual-connections', scale: 'minutes', seeds: 2 };
    expect(before.experiments).toEqual([{ ...listed, ended: 0, hasReport: false }]);
    expect((await get('/api/experiments/claim/report')).statusCode).toBe(404);
    expect((await get('/api/runs/claim%2Fplain-seed1/about')).json()).toMatchObject({ data: 'photos' });
    await mkdir(join(folder, 'records'));
    await writeFile(join(folder, 'records', 'plain-seed1.json'), '{}');
    await writeFile(join(folder, 'report.html'), '<h1>Report</h1>');
    expect((await list()).experiments).toEqual([{ ...listed, ended: 1, hasReport: true }]);
    const report = await get('/api/experiments/claim/report');
    expect(report.body).toBe('<h1>Report</h1>');
    expect(report.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    });
    // The experiment's own folder is one to look at, too; and one that cannot be read is told, beside its runs.
    const alone = await createDashboard({ runs: folder, page });
    const shown = await alone.inject({ url: '/api/runs', headers: { host: 'localhost' } });
    expect(idsOf(shown.json())).toEqual(['claim/plain-seed1', 'claim/plain-seed2']);
    await alone.close();
    await writeFile(join(folder, 'experiment.json'), '{"format":2}');
    const after = await list();
    expect(idsOf(after)).toHaveLength(3);
    expect(after.broken).toEqual([
      { id: 'claim', reason: expect.stringMatching(/^claim\/experiment\.json: format: /) },
    ]);
  });

  it('accepts a single run, and treats a missing folder as empty', async () => {
    const one = await createDashboard({ runs: join(root, 'runs', 'first'), page });
    const empty = await createDashboard({ runs: join(root, 'nothing'), page });
    const ids = async (server: FastifyInstance) =>
      (await server.inject({ url: '/api/runs', headers: { host: 'localhost' } }))
        .json()
        .runs.map(({ id }: { id: string }) => id);
    expect(await ids(one)).toEqual(['first']);
    expect(await ids(empty)).toEqual([]);
    await one.close();
    await empty.close();
  });

  it('returns complete new lines only, and starts over when a run was restarted', async () => {
    const folder = new RunFolder(join(root, 'runs', 'first'));
    await folder.append(evaluationLine(10));
    const first = (await get('/api/runs/first/metrics')).json();
    expect(first).toMatchObject({ continues: true, metrics: [{ step: 10 }] });
    await folder.append(evaluationLine(20));
    await appendFile(folder.file('metrics.jsonl'), '{"kind":"evalu');
    const second = (await get(`/api/runs/first/metrics?from=${first.next}`)).json();
    expect(second).toMatchObject({ continues: true, metrics: [{ step: 20 }] });
    await truncate(folder.file('metrics.jsonl'), first.next);
    const third = (await get(`/api/runs/first/metrics?from=${second.next}`)).json();
    expect(third).toMatchObject({ continues: false, metrics: [{ step: 10 }], next: first.next });
    expect((await get('/api/runs/first/metrics?from=-1')).json()).toEqual({
      error: "from: expected an integer number of bytes, received '-1'",
    });
  });

  it('notifies open pages when a run has grown', async () => {
    const address = await listen(app, { port: 0, host: '127.0.0.1' });
    const response = await fetch(`${address}/api/events`);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = (response.body as ReadableStream<Uint8Array>)
      .pipeThrough(new TextDecoderStream())
      .getReader();
    let text = '';
    const readUntil = async (pattern: RegExp) => {
      while (!pattern.test(text)) text += (await reader.read()).value ?? '';
    };
    await readUntil(/event: open/);
    // Changes are detected relative to the first poll, which comes at some time.
    let isNotified = false;
    const notified = readUntil(/event: changed\ndata: \{"runs":\["first"\]\}/).then(() => {
      isNotified = true;
    });
    for (let step = 10; !isNotified; step += 10) {
      await new RunFolder(join(root, 'runs', 'first')).append(evaluationLine(step));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await notified;
    await app.close();
    expect((await reader.read()).done).toBe(true);
  });

  it('lists models with names, sizes and hashes, and serves their bytes', async () => {
    await writeFile(join(root, 'runs', 'first', 'model.onnx'), 'model');
    const { models } = (await get('/api/models')).json();
    expect(models).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{16}$/),
        name: 'first/model.onnx',
        bytes: 5,
        sha256: '9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4',
      },
    ]);
    const file = await get(`/api/models/${models[0].id}`);
    expect([file.statusCode, file.body]).toEqual([200, 'model']);
    expect((await get('/api/models/0000000000000000')).statusCode).toBe(404);
  });

  it.each([
    '/../secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e/secret.txt',
    '/assets/../../secret.txt',
    '/api/runs/..%2f..%2fsecret.txt/metrics',
    '/api/runs/..%2f/metrics',
    '/api/models/..%2f..%2fsecret.txt',
  ])('serves nothing from outside its folders for %s', async (path) => {
    const address = new URL(await listen(app, { port: 0, host: '127.0.0.1' }));
    // fetch would normalise the path.
    const message = request({ host: address.hostname, port: address.port, path });
    message.end();
    const [response] = await once(message, 'response');
    let body = '';
    for await (const part of response) body += part;
    expect(response.statusCode).toBeGreaterThanOrEqual(400);
    expect(body).not.toContain('secret\n');
    expect(body).not.toBe('secret');
  });

  it('isolates the page, so that WebAssembly gets threads, and marks only hashed assets immutable', async () => {
    const { headers } = await get('/');
    expect(headers).toMatchObject({
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cache-control': 'no-cache',
    });
    expect((await get('/assets/a-1.js')).headers['cache-control']).toContain('immutable');
  });

  it('rejects foreign host names', async () => {
    const { statusCode, body } = await app.inject({
      url: '/api/runs',
      headers: { host: 'elsewhere.example' },
    });
    expect([statusCode, JSON.parse(body)]).toEqual([
      403,
      { error: "the host 'elsewhere.example' is not served here" },
    ]);
  });

  it('says what to do if the page is not built, or the port is in use', async () => {
    await expect(createDashboard({ runs: root, page: root })).rejects.toThrow(
      `${root}: there is no built page (index.html); run 'npm run setup'`,
    );
    const { port } = new URL(await listen(app, { port: 0, host: '127.0.0.1' }));
    const second = await createDashboard({ runs: root, page });
    await expect(listen(second, { port: Number(port), host: '127.0.0.1' })).rejects.toThrow(
      `port ${port} of 127.0.0.1 is in use; choose another with --port, or --port 0 for any free port`,
    );
    await second.close();
  });
});

describe('inception dashboard', () => {
  it('prints its address, and exits quietly on Ctrl-C while a page is connected', async () => {
    const command = fileURLToPath(new URL('../../bin/inception', import.meta.url));
    const child = spawn(process.execPath, [command, 'dashboard', '--no-open', '--port', '0']);
    let errors = '';
    child.stderr.on('data', (data) => {
      errors += data;
    });
    const [address] = await once(child.stdout, 'data');
    const events = await fetch(`${String(address).trim()}/api/events`);
    expect(events.status).toBe(200);
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    expect({ code, said: errors }).toEqual({ code: 130, said: '' });
  });
});

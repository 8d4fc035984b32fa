import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleConfiguration } from '../../../test/sample-run.ts';
import { RunFolder } from '../../train/run/run-folder.ts';
import { createDashboard } from '../server.ts';

const token = 'secret';
const notes = { format: 1, text: 'warm-up too short', tags: ['baseline'] };

describe('requests that change something', () => {
  let root: string;
  let runs: string;
  let open: FastifyInstance;
  let closed: FastifyInstance;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'control-'));
    runs = join(root, 'runs');
    const page = join(root, 'page');
    await mkdir(join(page, 'assets'), { recursive: true });
    await writeFile(join(page, 'index.html'), '<!doctype html><title>page</title>');
    await new RunFolder(join(runs, 'first')).create(sampleConfiguration);
    open = await createDashboard({ runs, page, token });
    closed = await createDashboard({ runs, page });
  });
  afterEach(async () => {
    await Promise.all([open.close(), closed.close()]);
    rmSync(root, { recursive: true, force: true });
  });

  interface Asked {
    readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
    readonly url: string;
    readonly body?: object | Buffer;
    readonly headers?: Record<string, string>;
    readonly of?: FastifyInstance;
  }
  const ask = async ({ method = 'POST', url, body = {}, headers = {}, of = open }: Asked) => {
    const type = Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json';
    const response = await of.inject({
      method,
      url,
      headers: {
        host: 'localhost:4180',
        authorization: `Bearer ${token}`,
        ...(method !== 'GET' && { 'content-type': type }),
        ...headers,
      },
      ...(method !== 'GET' && { payload: Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
    });
    return {
      status: response.statusCode,
      error: response.body && response.json()?.error,
      body: response.body,
    };
  };
  const all: readonly Asked[] = [
    { url: '/api/runs/first/stop' },
    { url: '/api/runs/first/resume' },
    { url: '/api/teach/new' },
    { method: 'PUT', url: '/api/teach/new/owl/1.jpg', body: Buffer.of(1) },
    { method: 'DELETE', url: '/api/teach/new' },
    { method: 'GET', url: '/api/weights' },
    { method: 'PUT', url: '/api/runs/first/notes', body: { before: null, notes } },
  ];

  it('are refused by a dashboard that only reads, which says so', async () => {
    for (const asked of all) {
      const { status, error } = await ask({ ...asked, of: closed });
      expect([status, error]).toEqual([
        403,
        "this dashboard only reads; 'inception dashboard --allow-training' changes that",
      ]);
    }
    expect((await ask({ method: 'GET', url: '/api/control', of: closed })).body).toBe('{"training":false}');
    expect((await ask({ method: 'GET', url: '/api/control' })).body).toBe('{"training":true}');
  });

  it('are refused without the token, and to pages of other sites and hosts', async () => {
    for (const asked of all) {
      const wrong = await ask({ ...asked, headers: { authorization: 'Bearer guess' } });
      expect([wrong.status, wrong.error]).toEqual([401, expect.stringContaining('the token is wrong')]);
      const foreign = await ask({ ...asked, headers: { origin: 'https://evil.example' } });
      expect(foreign.status).toBe(403);
      const rebound = await ask({ ...asked, headers: { host: 'evil.example' } });
      expect(rebound.status).toBe(403);
    }
  });

  it('say that there is no such run, or that nobody trains in it', async () => {
    expect(await ask({ url: '/api/runs/second/stop' })).toMatchObject({
      status: 404,
      error: "there is no run 'second'",
    });
    expect(await ask({ url: '/api/runs/first/stop' })).toMatchObject({
      status: 409,
      error: 'no process is training there',
    });
  });

  it('signal no process of which it cannot be known that it is the one', async () => {
    const pid = join(runs, 'first', 'pid');
    await writeFile(pid, JSON.stringify({ pid: 1, host: 'elsewhere' }));
    expect(await ask({ url: '/api/runs/first/stop' })).toMatchObject({
      status: 409,
      error:
        'process 1 on elsewhere is training there, and cannot be signalled from here with certainty; stop it with Ctrl-C where it runs',
    });
    // A number that another process has by now.
    await writeFile(pid, JSON.stringify({ pid: process.pid, started: '1' }));
    expect(await ask({ url: '/api/runs/first/stop' })).toMatchObject({
      status: 409,
      error: 'no process is training there',
    });
  });

  it('write notes that stay in the run folder, and over no notes that the page has not read', async () => {
    const put = (before: object | null, after: object) =>
      ask({ method: 'PUT', url: '/api/runs/first/notes', body: { before, notes: after } });
    const read = async () =>
      JSON.parse((await ask({ method: 'GET', url: '/api/runs/first/notes', of: closed })).body);
    const tags = async () =>
      JSON.parse((await ask({ method: 'GET', url: '/api/runs', of: closed })).body).runs[0].tags;
    expect([await read(), await tags()]).toEqual([null, []]);
    expect((await put(null, notes)).status).toBe(200);
    expect([await read(), await tags()]).toEqual([notes, ['baseline']]);
    expect(JSON.parse(await readFile(join(runs, 'first', 'notes.json'), 'utf8'))).toEqual(notes);
    const other = { ...notes, text: 'theirs', tags: [] };
    // Of two pages that had read the same, the second one is told.
    const [first, second] = await Promise.all([put(notes, other), put(notes, { ...notes, text: 'mine' })]);
    expect(first?.status).toBe(200);
    expect([second?.status, second?.error]).toEqual([
      409,
      'the notes of this run were changed elsewhere meanwhile; nothing was saved. Copy what you wrote, and discard it to see theirs',
    ]);
    expect([await read(), await tags()]).toEqual([other, []]);
    expect((await readdir(join(runs, 'first'))).toSorted()).toEqual([
      'checkpoints',
      'config.json',
      'notes.json',
    ]);
  });

  it.each([
    [{ text: 'x'.repeat(20_001) }, /^notes\.text: /],
    [
      { tags: ['two words'] },
      'notes.tags.0: expected a tag of letters, digits, dots, dashes and underscores, at most 40',
    ],
    [{ tags: ['a', 'a'] }, 'notes.tags: expected each tag once'],
    [{ tags: Array.from({ length: 21 }, (_, index) => `t${index}`) }, /^notes\.tags: /],
    [{ more: 1 }, /^notes: /],
  ])('refuse notes that are none: %o', async (wrong, expected) => {
    const body = { before: null, notes: { ...notes, ...wrong } };
    const { status, error } = await ask({ method: 'PUT', url: '/api/runs/first/notes', body });
    expect(status).toBe(400);
    expect(error).toMatch(expected);
  });

  it('leave notes alone that are a link or that a newer version wrote', async () => {
    const path = join(runs, 'first', 'notes.json');
    const put = () => ask({ method: 'PUT', url: '/api/runs/first/notes', body: { before: null, notes } });
    await writeFile(path, '{"format":2}');
    expect([(await put()).status, (await put()).error]).toEqual([
      422,
      expect.stringMatching(/^notes\.json: format: /),
    ]);
    await rm(path);
    await writeFile(join(root, 'elsewhere.json'), 'of another');
    await symlink(join(root, 'elsewhere.json'), path);
    expect((await put()).error).toBe('notes.json: expected a regular file of the folder, found a link');
    expect(await readFile(join(root, 'elsewhere.json'), 'utf8')).toBe('of another');
    expect((await ask({ method: 'GET', url: '/api/runs', of: closed })).body).toContain('"tags":[]');
  });

  it('keep images in a folder for each class, and write over nothing', async () => {
    const put = (path: string) => ask({ method: 'PUT', url: `/api/teach/${path}`, body: Buffer.of(1, 2) });
    expect((await put('new%20run/Caf%C3%A9/1.jpg')).status).toBe(201);
    expect([...(await readFile(join(runs, '.taught', 'new run', 'Café', '1.jpg')))]).toEqual([1, 2]);
    expect((await put('new%20run/Caf%C3%A9/1.jpg')).error).toBe('1.jpg is there already');
    expect((await ask({ method: 'DELETE', url: '/api/teach/new%20run' })).status).toBe(204);
    await expect(readFile(join(runs, '.taught', 'new run', 'Café', '1.jpg'))).rejects.toThrow('ENOENT');
  });

  it.each([
    ['..%2Fout/owl/1.jpg', /^the name of a run: expected letters/],
    ['.hidden/owl/1.jpg', /^the name of a run: expected letters/],
    ['new/..%2Fowl/1.jpg', /cannot be the name of a folder/],
    ['new/.owl/1.jpg', /cannot be the name of a folder/],
    ['new/%20/1.jpg', /cannot be the name of a folder/],
    ['new/Test/1.jpg', "the class 'Test' has the name of a split of a data set; give it another one"],
    ['new/owl/1.svg', 'expected the name of an image as 12.jpg, received'],
    ['new/owl/..%2F1.jpg', 'expected the name of an image as 12.jpg, received'],
  ])('refuse names that lead elsewhere: %s', async (path, expected) => {
    const { status, error } = await ask({ method: 'PUT', url: `/api/teach/${path}`, body: Buffer.of(1) });
    expect(status).toBe(400);
    expect(error).toMatch(expected);
  });

  it('start no training that is not asked for in full, or over a run that is there', async () => {
    const teach = (name: string, body: object) => ask({ url: `/api/teach/${name}`, body });
    const whole = { weights: { id: 'none' }, method: 'probe' };
    expect((await teach('new', { ...whole, method: 'all' })).error).toMatch(/method/);
    expect((await teach('new', { weights: { hub: '--out' }, method: 'probe' })).status).toBe(400);
    expect((await teach('new', whole)).error).toBe("no images were sent for 'new'");
    await ask({ method: 'PUT', url: '/api/teach/new/owl/1.jpg', body: Buffer.of(1) });
    expect((await teach('new', whole)).error).toBe('the weights are not there any more');
    await ask({ method: 'PUT', url: '/api/teach/first/owl/1.jpg', body: Buffer.of(1) });
    expect((await teach('first', whole)).error).toBe("there is a run 'first' already; choose another name");
    expect((await ask({ method: 'DELETE', url: '/api/teach/first' })).error).toBe(
      "the run 'first' was trained on these images; they stay",
    );
  });

  it('repeat what a training says that does not begin, and leave its name free', async () => {
    await writeFile(join(runs, 'first', 'model.safetensors'), 'no weights');
    const { body } = await ask({ method: 'GET', url: '/api/weights' });
    const [{ id, name }] = JSON.parse(body).weights;
    expect(name).toBe('first');
    await ask({ method: 'PUT', url: '/api/teach/new/owl/1.jpg', body: Buffer.of(1) });
    const { status, error } = await ask({
      url: '/api/teach/new',
      body: { weights: { id }, method: 'probe' },
    });
    expect(status).toBe(409);
    expect(error).toMatch(/^the training did not begin: .*inception: .*model\.safetensors/s);
    await expect(readFile(join(runs, 'new', 'output.log'))).rejects.toThrow('ENOENT');
  });
});

/** Run folders from anywhere: what is not a regular file of the folder is not read, and costs only its own run. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { evaluationLine, sampleConfiguration, writeSampleRun } from '../../test/sample-run.ts';
import { RunFolder } from '../train/run/run-folder.ts';
import { createDashboard } from './server.ts';

let root: string;
let app: FastifyInstance;
let secret: string;
beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'dashboard-hostile-')));
  secret = join(root, 'secret.json');
  await writeFile(secret, '{"format":1,"secret":"of another"}');
  await mkdir(join(root, 'page'));
  await writeFile(join(root, 'page', 'index.html'), '');
  await writeSampleRun(run('good'));
  app = await createDashboard({ runs: join(root, 'runs'), page: join(root, 'page') });
});
afterEach(async () => {
  await app.close();
  rmSync(root, { recursive: true, force: true });
});

const run = (name: string) => join(root, 'runs', name);
const get = (url: string) => app.inject({ url, headers: { host: 'localhost' } });
const lists = async (reason: string | undefined) => {
  const { runs, broken } = (await get('/api/runs')).json();
  expect(runs.map(({ id }: { id: string }) => id)).toContain('good');
  expect(broken).toEqual(reason === undefined ? [] : [{ id: 'bad', reason: `bad/${reason}` }]);
};
const startRun = async () => new RunFolder(run('bad')).create(sampleConfiguration);

describe('a link in a run folder', () => {
  it('is not served as evaluation.json', async () => {
    await startRun();
    await symlink(secret, join(run('bad'), 'evaluation.json'));
    const { statusCode, body } = await get('/api/runs/bad/evaluation');
    expect([statusCode, body]).toEqual([
      422,
      '{"error":"evaluation.json: expected a regular file of the folder, found a link"}',
    ]);
    await lists(undefined);
  });

  it('is not read as config.json, of whose content nothing is told', async () => {
    await mkdir(run('bad'));
    await symlink(secret, join(run('bad'), 'config.json'));
    await lists('config.json: expected a regular file of the folder, found a link');
  });

  it('is not read as metrics.jsonl', async () => {
    await startRun();
    await symlink(secret, join(run('bad'), 'metrics.jsonl'));
    await lists('metrics.jsonl: expected a regular file of the folder, found a link');
    expect((await get('/api/runs/bad/metrics')).statusCode).toBe(422);
  });

  it('is no run and no model', async () => {
    await mkdir(join(root, 'elsewhere'));
    await writeFile(join(root, 'elsewhere', 'model.onnx'), 'model');
    await writeFile(join(root, 'elsewhere', 'config.json'), '{}');
    await symlink(join(root, 'elsewhere'), run('bad'));
    await symlink(secret, join(run('good'), 'model.onnx'));
    await lists(undefined);
    expect((await get('/api/models')).json()).toEqual({ models: [] });
  });
});

describe('a link in the folder of an experiment', () => {
  it('is neither its description, its trainings nor its report', async () => {
    const folder = run('bad');
    await mkdir(folder);
    await writeSampleRun(join(root, 'elsewhere', 'plain-seed1'));
    await symlink(join(root, 'elsewhere'), join(folder, 'runs'));
    await symlink(secret, join(folder, 'experiment.json'));
    await symlink(secret, join(folder, 'report.html'));
    await lists('experiment.json: expected a regular file of the folder, found a link');
    expect((await get('/api/runs')).json().runs).toHaveLength(1);
    expect((await get('/api/experiments/bad/report')).statusCode).toBe(422);
    expect((await get('/api/experiments/..%2f..%2fbad/report')).statusCode).toBe(404);
  });
});

describe('a file of a run folder', () => {
  it.each(['config.json', 'metrics.jsonl', 'evaluation.json', 'pid'])(
    'may be a pipe called %s, which holds nothing up',
    async (name) => {
      if (name === 'config.json') await mkdir(run('bad'));
      else await startRun();
      execFileSync('mkfifo', [join(run('bad'), name)]);
      for (let time = 0; time < 6; time++)
        await lists(
          name === 'config.json' || name === 'metrics.jsonl'
            ? `${name}: expected a regular file of the folder, found a pipe`
            : undefined,
        );
      expect((await get('/api/runs/bad/evaluation')).statusCode).toBe(name === 'evaluation.json' ? 422 : 200);
    },
  );

  it.each([
    ['config.json', 3 * 2 ** 30, 'config.json: expected at most 16 MiB, received 3072 MiB'],
    ['metrics.jsonl', 3 * 2 ** 30, 'metrics.jsonl: expected at most 64 MiB, received 3072 MiB'],
  ])('is read up to a limit: %s', async (name, bytes, reason) => {
    await startRun();
    await writeFile(join(run('bad'), name), '');
    await truncate(join(run('bad'), name), bytes);
    await lists(reason);
  });

  it.each([
    ['null', "line 2: expected an object, received 'null'"],
    ['{"kind":"evaluation","step":1}', 'line 2: epoch: Invalid input: expected number, received undefined'],
    ['[1]', "line 2: expected an object, received '[1]'"],
    ['nonsense', "line 2: expected JSON, received 'nonsense'"],
    [
      '{"kind":"train","epoch":1,"step":"<b>"}',
      'line 2: step: Invalid input: expected number, received string',
    ],
  ])('costs its run its line in the list when a line is %s', async (line, reason) => {
    await startRun();
    const good = JSON.stringify(evaluationLine(10));
    await writeFile(join(run('bad'), 'metrics.jsonl'), `${good}\n${line}\n${good}\n`);
    const { runs, broken } = (await get('/api/runs')).json();
    expect(runs.map(({ id }: { id: string }) => id)).toEqual(['good']);
    expect(broken).toEqual([{ id: 'bad', reason: expect.stringContaining(`bad/metrics.jsonl: ${reason}`) }]);
  });

  it('is named with the place of a malformed line, also in a part of the file', async () => {
    await startRun();
    const good = `${JSON.stringify(evaluationLine(10))}\n`;
    await writeFile(join(run('bad'), 'metrics.jsonl'), `${good}null\n`);
    const { body } = await get(`/api/runs/bad/metrics?from=${good.length}`);
    expect(body).toContain(`metrics.jsonl: line 1 after byte ${good.length}: expected an object`);
  });

  it('may have lines of a kind that a newer version writes', async () => {
    await startRun();
    await writeFile(join(run('bad'), 'metrics.jsonl'), '{"kind":"note","text":"…"}\n');
    await lists(undefined);
  });

  it('is served as labels.json only if it is one', async () => {
    await startRun();
    expect((await get('/api/runs/bad/labels')).body).toBe('null');
    await symlink(secret, join(run('bad'), 'labels.json'));
    expect((await get('/api/runs/bad/labels')).statusCode).toBe(422);
    const image = { index: 0, label: 1, predicted: 0, probability: 0.9, trainedOn: null, image: 'AAAA' };
    const record = {
      format: 1,
      classes: ['cat', 'dog'],
      found: 1,
      images: [{ ...image, file: 'dog/1.png' }],
    };
    await writeFile(join(run('good'), 'labels.json'), JSON.stringify({ ...record, secret: 'x' }));
    expect((await get('/api/runs/good/labels')).json()).toEqual(record);
    await writeFile(join(run('good'), 'labels.json'), JSON.stringify({ ...record, found: 'many' }));
    expect((await get('/api/runs/good/labels')).statusCode).toBe(422);
  });

  it('is served as evaluation.json only if it is one', async () => {
    await startRun();
    await writeFile(join(run('bad'), 'evaluation.json'), 'root:x:0:0');
    const { statusCode, body } = await get('/api/runs/bad/evaluation');
    expect(statusCode).toBe(422);
    expect(body).toContain('evaluation.json: not JSON');
    await writeFile(join(run('bad'), 'evaluation.json'), '{"format":1,"secret":"x"}');
    expect((await get('/api/runs/bad/evaluation')).statusCode).toBe(422);
    expect((await get('/api/runs/good/evaluation')).json()).toMatchObject({
      step: 20,
      mistakes: [{ label: 1 }],
    });
  });
});

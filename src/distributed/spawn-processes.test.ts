/** Copies of a command, started by the built package in a process that is sent signals. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'inception-copies-'));
afterAll(() => rmSync(folder, { recursive: true }));

const parent = join(folder, 'parent.mjs');
writeFileSync(
  parent,
  `import { runCopies } from '${new URL('../../dist/distributed/spawn-processes.js', import.meta.url)}';
process.exitCode = await runCopies({
  command: process.execPath, args: [process.argv[2]], processes: 3, env: process.env,
  say: (line) => process.stderr.write(line + '\\n'), noticeMs: 300, graceMs: 1000,
});
console.error('over');`,
);

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function start(script: string) {
  const file = join(folder, `copy-${children.length}-${Math.random()}.mjs`);
  writeFileSync(
    file,
    `const { RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT, INCEPTION_RUN } = process.env;
const rank = Number(RANK);
const stay = () => setInterval(() => {}, 1000);
${script}`,
  );
  const child = spawn(process.execPath, [parent, file], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let [stdout, stderr] = ['', ''];
  let wake = () => {};
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
    wake();
  });
  return {
    child,
    ended: once(child, 'close').then(([code, signal]) => ({
      code,
      signal,
      stdout,
      lines: stderr.trim().split('\n').sort(),
    })),
    until: async (text: RegExp) => {
      while (!text.test(stderr))
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    },
  };
}

const allReady = /(?=[\s\S]*ready 0)(?=[\s\S]*ready 1)(?=[\s\S]*ready 2)/;

describe('copies of a command', () => {
  it("know their places; rank 0's output is passed on, and the others' errors by line", async () => {
    const { ended } = start(`
console.log(RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, Number(MASTER_PORT) > 0, INCEPTION_RUN.length);
process.stderr.write('hallo ' + rank + '\\nend' + (rank ? '' : '\\n'));`);
    expect(await ended).toEqual({
      ...{ code: 0, signal: null, stdout: '0 3 0 3 127.0.0.1 true 36\n' },
      lines: [
        'hallo 0',
        'end',
        'rank 1: hallo 1',
        'rank 1: end',
        'rank 2: hallo 2',
        'rank 2: end',
        'over',
      ].sort(),
    });
  });

  it('end with the first one that fails, and its exit code', async () => {
    const { ended } = start(`
process.on('SIGTERM', () => { console.error('told ' + rank); process.exit(5); });
console.error('ready ' + rank);
if (rank === 1) setTimeout(() => process.exit(3), 500); else stay();`);
    const { code, lines } = await ended;
    expect(code).toBe(3);
    expect(lines).toContain('told 0');
    expect(lines).toContain('rank 2: told 2');
    expect(lines.join()).toMatch(/rank 1 \(process \d+\) failed with exit code 3; the others are ended/);
  });

  it('are killed where they do not end', async () => {
    const { ended } = start(`
process.on('SIGTERM', () => {});
if (rank === 2) process.kill(process.pid, 'SIGKILL'); else stay();`);
    const { code, lines } = await ended;
    expect(code).toBe(137);
    expect(lines.join()).toMatch(/rank 2 \(process \d+\) was ended by SIGKILL; the others are ended/);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('get %s once and end in their own time', async (signal) => {
    const { child, ended, until } = start(`
let count = 0;
process.on('${signal}', () => { count++; setTimeout(() => { console.error('count ' + count); process.exit(130); }, 200 + 400 * rank); });
console.error('ready ' + rank);
stay();`);
    await until(allReady);
    child.kill(signal);
    const { code, lines } = await ended;
    expect(code).toBe(130);
    expect(lines.filter((line) => /count/.test(line))).toEqual([
      'count 1',
      'rank 1: count 1',
      'rank 2: count 1',
    ]);
    expect(lines.join()).not.toMatch(/the others are ended/);
  });

  it('get a signal that asks for a checkpoint, and go on', async () => {
    const { child, ended, until } = start(`
process.on('SIGUSR1', () => { console.error('asked'); setTimeout(() => process.exit(0), 100); });
console.error('ready ' + rank);
stay();`);
    await until(allReady);
    child.kill('SIGUSR1');
    expect(await ended).toMatchObject({
      code: 0,
      lines: expect.arrayContaining(['asked', 'rank 1: asked', 'rank 2: asked']),
    });
  });
});

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeIncomplete } from '../../replace-file.ts';
import { describeProcess, isLocked, nextLock, releaseLock, takeLock } from './run-lock.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inception-lock-'));
  path = join(folder, 'pid');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const hold = (holder: object) => writeFile(path, JSON.stringify(holder));
/** No process has this number: it is the largest that Linux gives. */
const gone = 4_194_304;

describe('the lock of a run', () => {
  it('is taken by exactly one of many that ask at the same time, also in place of a stale one', async () => {
    for (const stale of [undefined, `${gone}\n`]) {
      if (stale === undefined) await rm(path, { force: true });
      else await writeFile(path, stale);
      const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => takeLock(path)));
      expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await isLocked(path)).toBe(true);
      expect(await readdir(folder)).toEqual(['pid']);
    }
    await releaseLock(path);
    expect(await readdir(folder)).toEqual([]);
  });

  it('names the process, and the file to remove', async () => {
    await hold(await describeProcess(process.ppid));
    await expect(takeLock(path)).rejects.toThrow(
      `${path}: process ${process.ppid} is training here; stop it first, or choose another folder. If it has ended, remove the file`,
    );
    await hold({ pid: 1, host: 'elsewhere' });
    await expect(takeLock(path)).rejects.toThrow('process 1 on elsewhere is training here');
    expect(await isLocked(path)).toBe(true);
    await writeFile(path, '1e1');
    await expect(takeLock(path)).rejects.toThrow(
      `${path}: not a lock that is known here; if no process is training in this folder, remove the file`,
    );
  });

  it('is replaced if its process is gone, its number belongs to another, or the host has been started anew', async () => {
    const parent = await describeProcess(process.ppid);
    const stale = [
      { pid: gone, host: hostname() },
      ...(parent.started === undefined ? [] : [{ ...parent, started: '1' }]),
      ...(parent.boot === undefined ? [] : [{ ...parent, boot: 'another' }]),
    ];
    for (const holder of stale) {
      await hold(holder);
      expect(await isLocked(path)).toBe(false);
      await takeLock(path);
      expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: process.pid });
    }
  });

  it('is not given up by a process that does not have it', async () => {
    await hold({ pid: process.pid, host: 'elsewhere' });
    await releaseLock(path);
    expect(await readdir(folder)).toEqual(['pid']);
  });

  it('is taken by exactly one of many if processes ended while they replaced a stale lock', async () => {
    const stale = [`${gone}\n`, ...['first', 'second'].map((id) => JSON.stringify({ pid: gone, id }))];
    await writeFile(path, stale[0] ?? '');
    for (const [index, text] of stale.entries())
      if (index > 0) await writeFile(nextLock(path, stale[index - 1] ?? ''), text);
    const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => takeLock(path)));
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: process.pid });
    await removeIncomplete(folder, (name) => name === 'pid');
    expect(await readdir(folder)).toEqual(['pid']);
  });

  it('says what to remove if it cannot be known whether another process is replacing a stale lock', async () => {
    await writeFile(path, `${gone}\n`);
    const next = nextLock(path, `${gone}\n`);
    for (const text of ['', JSON.stringify({ pid: 1, host: 'elsewhere' })]) {
      await writeFile(next, text);
      await expect(takeLock(path)).rejects.toThrow(`if none is, remove ${next} and try again`);
    }
  });
});

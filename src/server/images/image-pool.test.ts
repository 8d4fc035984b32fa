import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { standardPreprocessing } from '../../images/preprocess.ts';
import { type ImagePool, openImagePool } from './image-pool.ts';

const program = fileURLToPath(new URL('../../../test/bad-image-worker.mjs', import.meta.url));
const preprocessing = standardPreprocessing([4, 4]);

let pool: ImagePool | undefined;
const replaced: string[] = [];

async function open({ processes = 1, timeoutMs = 300 } = {}): Promise<ImagePool> {
  replaced.length = 0;
  pool = await openImagePool({ processes, timeoutMs, program, onReplaced: (why) => replaced.push(why) });
  return pool;
}

const job = (order: string) => ({ bytes: Buffer.from(order), preprocessing, name: 'cat.jpg' });

afterEach(async () => {
  await pool?.close();
  pool = undefined;
});

describe('the decoder processes', () => {
  it('decode several images at a time, and any number in sequence', async () => {
    const { prepare } = await open({ processes: 2 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => prepare(job('.'))));
    expect(new Set(answers.map(([pid]) => pid)).size).toBe(2);
  });

  it('refuse a corrupt image with the reason', async () => {
    const { prepare } = await open();
    await expect(prepare(job('b'))).rejects.toMatchObject({ status: 400, message: 'cat.jpg: broken' });
  });

  it('are replaced when an image kills them; the image is refused after a second try', async () => {
    const opened = await open();
    const [before] = opened.processes;
    await expect(opened.prepare(job('d'))).rejects.toMatchObject({
      status: 400,
      message: 'cat.jpg: cannot be decoded: it ended the process that decoded it, twice',
    });
    expect(await opened.prepare(job('.'))).toHaveLength(1);
    expect(replaced).toEqual(['the process died (exit code 7)', 'the process died (exit code 7)']);
    expect(opened.processes).not.toContain(before);
  });

  it('are replaced when an image takes too long', async () => {
    const { prepare } = await open();
    await expect(prepare(job('h'))).rejects.toMatchObject({
      status: 400,
      message: 'cat.jpg: cannot be decoded: it took more than 300 ms',
    });
    expect(await prepare(job('.'))).toHaveLength(1);
    // Once: a second try would hold a place for twice as long.
    expect(replaced).toEqual(['an image took too long']);
  });

  it('are replaced when killed from outside, and the image is still decoded', async () => {
    const opened = await open({ timeoutMs: 5000 });
    const answer = opened.prepare(job('s'));
    process.kill(opened.processes[0] as number, 'SIGKILL');
    expect(await answer).toHaveLength(1);
  });

  it('skip images whose client has disconnected', async () => {
    const { prepare } = await open();
    const client = new AbortController();
    const first = prepare(job('s'));
    const second = prepare(job('d'), { signal: client.signal });
    client.abort(new Error('left'));
    await expect(second).rejects.toThrow('left');
    await first;
    expect(await prepare(job('.'))).toHaveLength(1);
    expect(replaced).toEqual([]);
  });

  it('have exited after close, and waiting requests are rejected', async () => {
    const opened = await open();
    const waiting = [opened.prepare(job('h')), opened.prepare(job('.'))];
    const answers = Promise.allSettled(waiting);
    const pids = opened.processes;
    await opened.close();
    for (const answer of await answers) expect(answer).toMatchObject({ reason: { status: 503 } });
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    await expect(opened.prepare(job('.'))).rejects.toMatchObject({ status: 503 });
  });

  it('report a failure to start', async () => {
    await expect(
      openImagePool({ processes: 1, timeoutMs: 100, program: '/nowhere/worker.mjs' }),
    ).rejects.toThrow('the image decoder process did not start (exit code 1)');
  });
});

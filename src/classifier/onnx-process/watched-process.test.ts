import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DeployError } from '../../onnx/deploy-error.ts';
import { ProcessLostError, WatchedProcess, type WatchedProcessOptions } from './watched-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'inception-watched-'));
const program = join(folder, 'program.mjs');

/** Answers what it is told to, or misbehaves: `once` only in the first process, which leaves a file behind. */
beforeAll(() =>
  writeFileSync(
    program,
    `import { existsSync, writeFileSync } from 'node:fs';
     const misbehave = {
       die: () => process.exit(3),
       hang: () => { for (;;); },
       refuse: () => process.send({ kind: 'failed', message: 'no such file', refused: true }),
       throw: () => process.send({ kind: 'failed', message: 'a mistake', refused: false }),
     };
     process.on('message', (message) => {
       if (message === 'alive?') return process.send({ kind: 'result', result: 'yes' });
       const { what, once, opening } = message;
       if (what in misbehave && !(once && existsSync(once))) {
         if (once) writeFileSync(once, '');
         return misbehave[what]();
       }
       process.send(opening ? { kind: 'opened', facts: process.pid } : { kind: 'result', result: what });
     });
     process.on('disconnect', () => process.exit(0));`,
  ),
);
afterAll(() => rmSync(folder, { recursive: true }));

interface Message {
  readonly what: string;
  readonly once?: string;
  readonly opening?: boolean;
}
type Tried = WatchedProcess<Message, number, Message, string>;

let opened: Tried | undefined;
let replaced: string[] = [];
afterEach(async () => {
  await opened?.close();
  [opened, replaced] = [undefined, []];
});

const open = async (what = 'open', options: Partial<WatchedProcessOptions<Message>> = {}): Promise<Tried> => {
  opened = await WatchedProcess.open<Message, number, Message, string>({
    program,
    what: 'm.onnx',
    opening: { what, opening: true },
    openMs: 30_000,
    refusal: (message) => new DeployError(message),
    onReplaced: (reason) => replaced.push(reason),
    ...options,
  });
  return opened;
};

let files = 0;
/** A job that misbehaves in one process only. */
const once = (what: string): Message => ({ what, once: join(folder, `once-${files++}`) });
const patient = { limitMs: 30_000, lateMs: 30_000 };
const impatient = { limitMs: 1000, lateMs: 20 };

describe('a watched process', () => {
  it('does jobs in order, each with its own answer', async () => {
    const process = await open();
    const jobs = ['a', 'b', 'c'].map((what) => process.run({ what }, patient));
    expect(await Promise.all(jobs)).toEqual(['a', 'b', 'c']);
    expect([process.healthy, replaced]).toEqual([true, []]);
  });

  it('is replaced when it dies, and the job is done by the next', async () => {
    const process = await open();
    expect(await process.run(once('die'), patient)).toBe('die');
    expect(replaced).toEqual(['m.onnx: the process that runs the model died (exit code 3)']);
    expect(process.healthy).toBe(true);
  });

  it('is ended when it does not answer, and counts as unhealthy before that', async () => {
    const process = await open();
    const job = process.run(once('hang'), impatient);
    await expect.poll(() => process.healthy).toBe(false);
    expect(await job).toBe('hang');
    expect(replaced).toEqual([
      'm.onnx: the process that runs the model did not answer within 1 s and was ended',
    ]);
  });

  it('gives a job up that two processes were lost with, and does the next', async () => {
    const process = await open();
    const lost = process.run({ what: 'die' }, patient);
    await expect(lost).rejects.toThrow(ProcessLostError);
    expect(replaced).toHaveLength(2);
    expect(await process.run({ what: 'x' }, patient)).toBe('x');
  });

  it('passes errors on, and does not try them again', async () => {
    const process = await open();
    await expect(process.run({ what: 'refuse' }, patient)).rejects.toThrow(new DeployError('no such file'));
    await expect(process.run({ what: 'throw' }, patient)).rejects.toThrow(new Error('a mistake'));
    expect(replaced).toEqual([]);
    await expect(open('refuse')).rejects.toThrow(new DeployError('no such file'));
  });

  it('that never opens is ended', async () => {
    await expect(open('hang', { openMs: 300 })).rejects.toThrow(
      /m\.onnx: the process that runs the model did not answer within 0\.3 s and was ended/,
    );
  });

  it.skipIf(process.platform === 'win32')(
    'is replaced between jobs when it has stopped (skipped on Windows, which cannot stop one)',
    async () => {
      const watched = await open('open', { checkMs: 20, answerMs: 1000 });
      const first = watched.facts;
      process.kill(first, 'SIGSTOP');
      await expect.poll(() => watched.facts).not.toBe(first);
      await expect.poll(() => watched.healthy).toBe(true);
      expect(replaced[0]).toMatch(/did not answer within 1 s/);
    },
  );
});

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { below, lowerPriority, withLowerThreads } from './priority.ts';

const lowered = (by: number) => Math.min(19, getPriority() + by);

describe('the order in which things get a processor', () => {
  it('is relative to the server, whatever niceness that was started with', () => {
    const child = spawn('sleep', ['10']);
    lowerPriority(child.pid as number, below.decoding);
    expect(getPriority(child.pid as number)).toBe(lowered(10));
    child.kill();
  });

  it('is nobody’s concern once a process has ended', () => {
    expect(() => lowerPriority(2 ** 22 + 1, below.decoding)).not.toThrow();
  });

  it.skipIf(process.platform !== 'linux')(
    'has the threads of a model after those that there were (skipped but on Linux)',
    async () => {
      const before = readdirSync('/proc/self/task').map(Number);
      const niceness = before.map((id) => getPriority(id));
      const worker = await withLowerThreads(async () => {
        const started = new Worker('setInterval(() => {}, 1000)', { eval: true });
        await new Promise((resolve) => started.once('online', resolve));
        return started;
      });
      const added = readdirSync('/proc/self/task')
        .map(Number)
        .filter((id) => !before.includes(id));
      expect(added.length).toBeGreaterThan(0);
      expect(added.map((id) => getPriority(id))).toContain(lowered(5));
      expect(before.map((id) => getPriority(id))).toEqual(niceness);
      await worker.terminate();
    },
  );
});

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { lowerPriority, niceness, withLowerThreads } from './priority.ts';

const lowered = (steps: number) => Math.min(19, getPriority() + steps);

describe('process priorities', () => {
  it('are relative to the server, whatever nice value it was started with', () => {
    const child = spawn('sleep', ['10']);
    lowerPriority(child.pid as number, niceness.decoding);
    expect(getPriority(child.pid as number)).toBe(lowered(10));
    child.kill();
  });

  it('are ignored for a process that has ended', () => {
    expect(() => lowerPriority(2 ** 22 + 1, niceness.decoding)).not.toThrow();
  });

  it.skipIf(process.platform !== 'linux')(
    'put the threads of a model below existing threads (skipped except on Linux)',
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

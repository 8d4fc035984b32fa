import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BatchQueue, type BatchReport } from './batch-queue.ts';

/** A queue for a model that takes `takesMs` per batch and doubles each number. */
function queueOf({
  maxBatch = 4,
  waitMs = 5,
  capacity = 4,
  capacityInOverload = undefined as number | undefined,
  takesMs = 100,
} = {}) {
  const batches: number[][] = [];
  const reports: BatchReport[] = [];
  const queue = new BatchQueue<number, number>({
    maxBatch,
    waitMs,
    capacity,
    ...(capacityInOverload !== undefined && { capacityInOverload }),
    run: async (rows) => {
      batches.push([...rows]);
      await new Promise((resolve) => setTimeout(resolve, takesMs));
      if (rows.includes(666)) throw new Error('the model failed');
      if (rows.includes(13)) throw new RangeError('13 has no double');
      return rows.map((row) => row * 2);
    },
    isOfRow: (error) => error instanceof RangeError,
    onBatch: (report) => reports.push(report),
  });
  const ask = async (
    row: number,
    { deadlineMs = 1000, signal }: { deadlineMs?: number; signal?: AbortSignal } = {},
  ) => {
    const ticket = queue.enter({ rows: 1, deadlineMs, ...(signal && { signal }) });
    try {
      return await ticket.submit(row);
    } finally {
      ticket.leave();
    }
  };
  return { queue, batches, reports, ask };
}

describe('a batch queue', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    expect(vi.getTimerCount(), 'no timer is left running').toBe(0);
    vi.useRealTimers();
  });

  it('fails one row alone, where the error is one of a row', async () => {
    const { ask, batches, reports } = queueOf({ capacity: 8 });
    const asked = Promise.allSettled([1, 2, 13, 4].map((row) => ask(row)));
    await vi.runAllTimersAsync();
    expect((await asked).map((each) => (each.status === 'fulfilled' ? each.value : 'failed'))).toEqual([
      ...[2, 4, 'failed', 8],
    ]);
    expect(batches).toEqual([[1, 2, 13, 4], [1, 2], [13, 4], [13], [4]]);
    expect(reports).toMatchObject([{ rows: 4, failed: true }]);
  });

  it('returns to each request its own row of a shared batch', async () => {
    const { ask, batches } = queueOf();
    const answers = Promise.all([ask(1), ask(2), ask(3)]);
    await vi.runAllTimersAsync();
    expect(await answers).toEqual([2, 4, 6]);
    expect(batches).toEqual([[1, 2, 3]]);
  });

  it('starts at once when a batch is full, otherwise after the maximum wait', async () => {
    const { ask, batches } = queueOf({ maxBatch: 2, waitMs: 50 });
    const full = Promise.all([ask(1), ask(2)]);
    await vi.advanceTimersByTimeAsync(0);
    expect(batches).toEqual([[1, 2]]);
    await vi.runAllTimersAsync();
    await full;
    const alone = ask(3);
    await vi.advanceTimersByTimeAsync(49);
    expect(batches).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(batches).toHaveLength(2);
    await vi.runAllTimersAsync();
    expect(await alone).toBe(6);
  });

  it('collects rows while a batch runs, and runs one batch at a time', async () => {
    const { ask, batches } = queueOf({ waitMs: 0 });
    const first = ask(1);
    await vi.advanceTimersByTimeAsync(1);
    const later = Promise.all([ask(2), ask(3)]);
    await vi.advanceTimersByTimeAsync(50);
    expect(batches).toEqual([[1]]);
    await vi.runAllTimersAsync();
    expect([await first, ...(await later)]).toEqual([2, 4, 6]);
    expect(batches).toEqual([[1], [2, 3]]);
  });

  it('refuses when full, with the time after which to retry', async () => {
    const { ask, queue } = queueOf({ capacity: 2, takesMs: 3000, waitMs: 0, maxBatch: 1 });
    const begun = ask(0);
    await vi.advanceTimersByTimeAsync(3000);
    const running = ask(1);
    await vi.advanceTimersByTimeAsync(0);
    const waiting = [ask(2, { deadlineMs: 60_000 }), ask(3, { deadlineMs: 60_000 })];
    expect(queue.full).toBe(true);
    await expect(ask(4)).rejects.toMatchObject({
      status: 503,
      reason: 'queue_full',
      retryAfterSeconds: 6,
      message: 'the queue is full: 2 images are waiting, the limit is 2; try again later',
    });
    await vi.runAllTimersAsync();
    expect(await Promise.all([begun, running, ...waiting])).toEqual([0, 2, 4, 6]);
    expect(queue.waiting).toBe(0);
  });

  it('absorbs a burst, but queues only one batch in overload', async () => {
    const { ask, queue } = queueOf({ maxBatch: 1, waitMs: 0, capacity: 4, capacityInOverload: 1 });
    const [answered, refused]: number[][] = [[], []];
    const send = () => {
      const begin = performance.now();
      ask(1).then(
        () => answered?.push(performance.now() - begin),
        () => refused?.push(performance.now() - begin),
      );
    };
    const sendEvery = async (ms: number, count: number) => {
      for (let index = 0; index < count; index++) {
        send();
        await vi.advanceTimersByTimeAsync(ms);
      }
    };
    // Half the throughput, two at a time.
    for (let index = 0; index < 10; index++) {
      send();
      await sendEvery(400, 1);
    }
    expect([answered?.length, refused]).toEqual([20, []]);
    // Twice the throughput.
    await sendEvery(50, 100);
    answered?.splice(0);
    await sendEvery(50, 100);
    expect(answered?.length).toBeGreaterThan(45);
    expect(Math.max(...(answered ?? []))).toBeLessThanOrEqual(200);
    expect(Math.max(...(refused ?? []))).toBe(0);
    // Half the throughput again.
    await sendEvery(200, 10);
    refused?.splice(0);
    for (let index = 0; index < 4; index++) send();
    expect(queue.full).toBe(true);
    await vi.runAllTimersAsync();
    expect(refused).toEqual([]);
  });

  it('refuses a request that would wait longer than its deadline', async () => {
    const { ask } = queueOf({ maxBatch: 1, waitMs: 0, capacity: 100, takesMs: 100 });
    const first = ask(0);
    await vi.runAllTimersAsync();
    const waiting = [first, ...[1, 2, 3, 4].map((row) => ask(row, { deadlineMs: 10_000 }))];
    await expect(ask(5, { deadlineMs: 350 })).rejects.toMatchObject({
      status: 503,
      reason: 'deadline',
      message: 'the expected wait is 400 ms, longer than the deadline of 350 ms; try again later',
    });
    waiting.push(ask(5, { deadlineMs: 500 }));
    await vi.runAllTimersAsync();
    expect(await Promise.all(waiting)).toEqual([0, 2, 4, 6, 8, 10]);
  });

  it('accepts a request with more rows than there is room for, and splits it', async () => {
    const { queue, batches } = queueOf({ maxBatch: 2, capacity: 1 });
    const ticket = queue.enter({ rows: 5, deadlineMs: 1000 });
    const answers = Promise.all([1, 2, 3, 4, 5].map((row) => ticket.submit(row)));
    await vi.runAllTimersAsync();
    expect(await answers).toEqual([2, 4, 6, 8, 10]);
    expect(batches).toEqual([[1, 2], [3, 4], [5]]);
    ticket.leave();
  });

  it('counts rows that are still in preparation', () => {
    const { queue } = queueOf({ capacity: 4 });
    const ticket = queue.enter({ rows: 4, deadlineMs: 1000 });
    expect([queue.waiting, queue.full]).toEqual([4, true]);
    ticket.leave();
    expect([queue.waiting, queue.full]).toEqual([0, false]);
  });

  it('drops rows that have not started by the deadline, but not those that run', async () => {
    const { ask, batches, queue } = queueOf({ takesMs: 300, waitMs: 0 });
    const runs = ask(1, { deadlineMs: 100 });
    await vi.advanceTimersByTimeAsync(1);
    const waits = expect(ask(2, { deadlineMs: 100 })).rejects.toMatchObject({
      status: 503,
      reason: 'deadline',
      message: 'the request did not start within its deadline of 100 ms; try again later',
    });
    await vi.advanceTimersByTimeAsync(100);
    await waits;
    expect(queue.waiting).toBe(0);
    await vi.runAllTimersAsync();
    expect(await runs).toBe(2);
    expect(batches).toEqual([[1]]);
  });

  it('removes a disconnected client from the queue', async () => {
    const { ask, batches } = queueOf({ waitMs: 0 });
    const client = new AbortController();
    const runs = ask(1);
    await vi.advanceTimersByTimeAsync(1);
    const left = expect(ask(2, { signal: client.signal })).rejects.toThrow('left');
    const stays = ask(3);
    client.abort(new Error('left'));
    await left;
    await vi.runAllTimersAsync();
    expect([await runs, await stays]).toEqual([2, 6]);
    expect(batches).toEqual([[1], [3]]);
  });

  it('rejects the requests of a failed batch, and continues', async () => {
    const { ask, reports } = queueOf({ waitMs: 0 });
    const failing = expect(ask(666)).rejects.toThrow('the model failed');
    await vi.runAllTimersAsync();
    await failing;
    const next = ask(1);
    await vi.runAllTimersAsync();
    expect(await next).toBe(2);
    expect(reports.map(({ rows, failed }) => [rows, failed])).toEqual([
      [1, true],
      [1, false],
    ]);
  });

  it('aborts the preparation of a request whose deadline passes', async () => {
    const { queue } = queueOf();
    const ticket = queue.enter({ rows: 2, deadlineMs: 50 });
    await vi.advanceTimersByTimeAsync(50);
    expect(ticket.signal.aborted).toBe(true);
    await expect(ticket.submit(1)).rejects.toMatchObject({ reason: 'deadline' });
    ticket.leave();
    expect(queue.waiting).toBe(0);
  });
});

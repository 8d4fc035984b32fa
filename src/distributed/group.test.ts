/**
 * Groups whose processes are all in this one: what they say to each other. Real processes are in `processes.test.ts`. Over 400 lines:
 * every way of meeting and of losing one another needs the same helpers.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type Group, ownGroup } from './group.ts';
import { type JoinOptions, joinGroup } from './join-group.ts';
import type { Launched } from './launcher.ts';
import { type GroupError, LostPeerError } from './lost-peer.ts';
import { frameOf } from './wire/frames.ts';

const open: Group[] = [];
const others: { destroy(): void }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((group) => group.close()));
  for (const other of others.splice(0)) other.destroy();
});

/** A busy machine may keep this process waiting for seconds, which is no loss. */
const quick: JoinOptions = { heartbeat: 0.1, peerTimeout: 30, joinTimeout: 20, handshakeTimeout: 2 };

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

const launchedAs = (rank: number, size: number, more: Partial<Launched> = {}): Launched => ({
  ...{ launcher: 'a test', rank, size, host: '127.0.0.1', ports: [], run: 'r', attempt: 0 },
  ...more,
});

async function join(launched: Launched, options: JoinOptions = {}): Promise<Group> {
  const group = await joinGroup(launched, { ...quick, ...options });
  open.push(group);
  return group;
}

async function groupOf(size: number, more: Partial<Launched> = {}): Promise<Group[]> {
  const ports = [await freePort()];
  return Promise.all(
    Array.from({ length: size }, (_, rank) => join(launchedAs(rank, size, { ports, ...more }))),
  );
}

const failure = (promise: Promise<unknown>): Promise<GroupError> =>
  promise.then(
    () => {
      throw new Error('did not fail');
    },
    (error) => error,
  );

describe('a group', () => {
  it('gathers what every process passed, by rank, on all of them', async () => {
    const groups = await groupOf(4);
    const gathered = await Promise.all(groups.map((group) => group.gather({ rank: group.rank, text: 'ä' })));
    for (const values of gathered) expect(values).toEqual([0, 1, 2, 3].map((rank) => ({ rank, text: 'ä' })));
    const seconds = await Promise.all(groups.map((group) => group.gather(group.rank === 1 ? undefined : [])));
    for (const values of seconds) expect(values).toEqual([[], null, [], []]);
  });

  it('gives all what rank 0 passed, also where the others ask long after', async () => {
    const [first, second] = (await groupOf(2)) as [Group, Group];
    expect(await first.fromFirst({ n: 1 })).toEqual({ n: 1 });
    expect(await first.fromFirst(Number.NaN)).toBe(null);
    expect(await second.fromFirst(undefined)).toEqual({ n: 1 });
    expect(await second.fromFirst({ n: 2 })).toBe(null);
  });

  it('waits at a barrier until all are there', async () => {
    const [first, second, third] = (await groupOf(3)) as [Group, Group, Group];
    let passed = 0;
    const waiting = [first, second].map((group) => group.barrier().then(() => passed++));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(passed).toBe(0);
    await Promise.all([...waiting, third.barrier()]);
    expect(passed).toBe(2);
  });

  it('takes several calls at once, in their order', async () => {
    const groups = await groupOf(3);
    const results = await Promise.all(
      groups.map((group) =>
        Promise.all([
          group.gather(group.rank),
          group.barrier(),
          group.fromFirst('x'),
          group.gather(-group.rank),
        ]),
      ),
    );
    for (const result of results)
      expect(result).toEqual([[0, 1, 2], undefined, 'x', [-0, -1, -2].map((n) => n || 0)]);
  });

  it('gathers values of ten megabytes', async () => {
    const groups = await groupOf(3);
    const value = Array.from({ length: 50_000 }, (_, index) => ({ index, text: 'x'.repeat(180) }));
    const results = await Promise.all(groups.map((group) => group.gather(value)));
    for (const [one, two, three] of results) {
      expect(one).toHaveLength(50_000);
      expect([two?.at(-1), three?.at(-1)]).toEqual([value.at(-1), value.at(-1)]);
    }
    expect(groups.some((group) => group.lost.aborted)).toBe(false);
  });

  it('knows which processes are on one machine, where the launcher does not say it', async () => {
    const groups = await groupOf(3);
    expect(groups.map(({ localRank, localSize, address }) => ({ localRank, localSize, address }))).toEqual(
      [0, 1, 2].map((localRank) => ({ localRank, localSize: 3, address: '127.0.0.1' })),
    );
    expect(new Set(groups.flatMap(({ hosts }) => hosts)).size).toBe(1);
  });

  it('of one process answers at once', async () => {
    const group = await joinGroup(launchedAs(0, 1));
    expect(group).toBe(ownGroup);
    expect(await group.gather(1)).toEqual([1]);
    expect(await group.fromFirst('x')).toBe('x');
    await group.barrier();
    await group.close();
    expect(group.lost.aborted).toBe(false);
  });

  it('is left in any order without a loss', async () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
    ]) {
      const groups = await groupOf(3);
      await Promise.all(groups.map((group) => group.gather(1)));
      for (const rank of order) {
        await groups[rank]?.close();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(groups.map(({ lost }) => lost.aborted)).toEqual([false, false, false]);
      expect((await failure((groups[0] as Group).gather(1))).message).toBe(
        'gather: this process has left its group',
      );
    }
  });

  it('gives results that were on their way when rank 0 left', async () => {
    const [first, second] = (await groupOf(2)) as [Group, Group];
    const text = 'x'.repeat(5_000_000);
    await Promise.all([
      first.fromFirst(text).then(() => first.close()),
      new Promise((go) => setTimeout(go, 100)),
    ]);
    expect(await second.fromFirst('')).toBe(text);
    expect((await failure(second.barrier())).message).toMatch(
      /^rank 0 on host \S+ has left the group while others still wait/,
    );
  });

  it('names the process that left while others wait for it', async () => {
    const groups = await groupOf(3);
    const [first, second, third] = groups as [Group, Group, Group];
    const waiting = [first.gather(1), second.gather(1)].map(failure);
    await third.close();
    for (const error of await Promise.all(waiting)) {
      expect(error).toBeInstanceOf(LostPeerError);
      expect(error).toMatchObject({ rank: 2, host: first.hosts[2] });
      expect(error.message).toBe(
        `rank 2 on host ${first.hosts[2]} has left the group while others still wait for it; its own output may say why; this process ends too, because a group is whole or none. The last checkpoint of a training is whole: start all processes again, with --resume`,
      );
    }
    expect(first.lost.reason).toBeInstanceOf(LostPeerError);
    expect((await failure(second.barrier())).message).toMatch(/^rank 2 /);
  });

  it('ends at once where one leaves because it failed, and says why', async () => {
    const groups = await groupOf(3);
    const ended = groups.map(
      ({ lost }) => new Promise((resolve) => lost.addEventListener('abort', () => resolve(lost.reason))),
    );
    await groups[2]?.close(new Error('no space left\n\u001b[2J'));
    const message = `rank 2 on host ${groups[0]?.hosts[2]} has failed: no space left\n\\u001b[2J; this process ends too`;
    for (const reason of await Promise.all(ended.slice(0, 2)))
      expect(reason).toMatchObject({ name: 'LostPeerError', rank: 2, message });
  });

  it('says it where processes do not do the same', async () => {
    const [first, second] = (await groupOf(2)) as [Group, Group];
    const errors = await Promise.all([failure(first.barrier()), failure(second.gather(1))]);
    for (const error of errors)
      expect(error.message).toMatch(
        /rank 1 on host \S+,? does something else than the others \(call 1 of the group is barrier on the one and gather on the other\)/,
      );
  });
});

describe('processes meet', () => {
  it('where rank 0 comes last', async () => {
    const ports = [await freePort()];
    const second = join(launchedAs(1, 2, { ports }));
    await new Promise((resolve) => setTimeout(resolve, 400));
    await Promise.all([second, join(launchedAs(0, 2, { ports }))]);
  });

  it('on the first free port of a row, past listeners that are silent, say something else or are of another run', async () => {
    const servers: Server[] = [];
    const ports: number[] = [];
    const sockets: Socket[] = [];
    for (const answer of ['', 'HTTP/1.1 400 Bad Request\r\n\r\n']) {
      const server = createServer((socket) => {
        sockets.push(socket.on('error', () => undefined));
        if (answer) socket.end(answer);
      }).listen(0);
      await once(server, 'listening');
      servers.push(server);
      ports.push((server.address() as { port: number }).port);
    }
    ports.push(await freePort());
    const notices: string[] = [];
    const stranger = joinGroup(launchedAs(0, 2, { ports: ports.slice(2), run: 'another' }), {
      ...quick,
      joinTimeout: 3,
      onNotice: (text) => notices.push(text),
    }).catch((error) => error);
    await new Promise((resolve) => setTimeout(resolve, 100));
    ports.push(await freePort());
    const options = { handshakeTimeout: 0.3 };
    const groups = await Promise.all([0, 1].map((rank) => join(launchedAs(rank, 2, { ports }), options)));
    expect(await Promise.all(groups.map((group) => group.gather(group.rank)))).toEqual([
      [0, 1],
      [0, 1],
    ]);
    expect(notices.join()).toMatch(
      /rank 1 on host \S+ \(127\.0\.0\.1\) was refused: it belongs to the run 'r'; the group here is that of 'another'/,
    );
    await stranger;
    for (const each of [...servers, ...sockets]) 'close' in each ? each.close() : each.destroy();
  });

  it.each([
    [
      'with the same rank',
      launchedAs(1, 3),
      /a process on host \S+ has that rank already; every rank is to be started once$/,
    ],
    [
      'of another size',
      launchedAs(1, 4),
      /it was started as one of 4 processes, rank 0 as one of 3; give all the same number$/,
    ],
  ])('unless two are %s: all are told', async (_, wrong, reason) => {
    const ports = [await freePort()];
    const errors = [0, 1].map((rank) => failure(join(launchedAs(rank, 3, { ports }))));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const refused = await failure(join({ ...wrong, ports }));
    expect(refused.message).toMatch(/^rank 1 was refused by rank 0 at 127\.0\.0\.1:\d+: /);
    expect(refused.message).toMatch(reason);
    const [first, second] = await Promise.all(errors);
    expect(first?.message).toMatch(/^rank 1 on host \S+ \(127\.0\.0\.1\) was refused: /);
    expect(first?.message).toMatch(reason);
    expect(second?.message).toMatch(/^rank 0 on host \S+ gave up: rank 1 on host /);
  });

  it('unless one is of another version, run or attempt', async () => {
    const ports = [await freePort()];
    const notices: string[] = [];
    const first = failure(
      join(launchedAs(0, 2, { ports, attempt: 1 }), { onNotice: (text) => notices.push(text) }),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await failure(join(launchedAs(1, 2, { ports, run: 's', attempt: 1 })))).message).toMatch(
      /it belongs to the run 's'; the group here is that of 'r'$/,
    );
    expect((await failure(join(launchedAs(1, 2, { ports, attempt: 0 })))).message).toMatch(
      /it belongs to attempt 0 of the run; the group here is that of attempt 1$/,
    );
    const later = join(launchedAs(1, 2, { ports, attempt: 2 }), { joinTimeout: 0.6 });
    expect((await failure(later)).message).toMatch(
      /^rank 1 of 2 did not find its group within 0.6 s; at the last try: 127\.0\.0\.1:\d+: it belongs to attempt 2 of the run; the group here is that of attempt 1$/,
    );
    expect(notices.length).toBeGreaterThanOrEqual(3);
    const socket = connect(ports[0] as number, '127.0.0.1').on('error', () => undefined);
    others.push(socket);
    socket.write(
      frameOf(
        JSON.stringify({
          ...{ kind: 'hello', protocol: 'inception-group', version: '0.0.7', run: 'r', attempt: 1 },
          ...{ size: 2, rank: 1, host: 'elsewhere' },
        }),
      ),
    );
    const [answer] = await once(socket, 'data');
    const text =
      /it runs version 0\.0\.7 of the package, rank 0 version \S+; install the same on all machines/;
    expect(String(answer)).toMatch(text);
    expect((await first).message).toMatch(text);
  });

  it('within a time, and meanwhile it is said who is missing', async () => {
    const ports = [await freePort()];
    const notices: string[] = [];
    const options = { joinTimeout: 1, noticeEvery: 0.2, onNotice: (text: string) => notices.push(text) };
    const errors = await Promise.all([
      failure(join(launchedAs(0, 4, { ports }), options)),
      failure(join(launchedAs(2, 4, { ports }), { ...options, joinTimeout: 5 })),
    ]);
    const missing = /ranks 1, 3 of 4 processes; there are rank 0 on host \S+, rank 2 on host \S+/;
    expect(errors[0]?.message).toMatch(
      new RegExp(`^${missing.source}: the others did not come to port ${ports[0]} within 1 s; look at`),
    );
    expect(errors[1]?.message).toMatch(/^rank 0 on host \S+ gave up: ranks 1, 3 of 4 processes/);
    expect(notices.some((notice) => new RegExp(`^waiting for ${missing.source}$`).test(notice))).toBe(true);
    expect(
      notices.some((notice) => /^rank 2 has found rank 0, which waits for the others$/.test(notice)),
    ).toBe(true);
  });

  it('or say which rank does not find rank 0', async () => {
    const ports = [await freePort()];
    const notices: string[] = [];
    const error = await failure(
      join(launchedAs(1, 2, { ports }), {
        joinTimeout: 0.6,
        noticeEvery: 0.2,
        onNotice: (text) => notices.push(text),
      }),
    );
    const trouble = `127.0.0.1:${ports[0]}: ECONNREFUSED`;
    expect(error.message).toBe(
      `rank 1 of 2 did not find its group within 0.6 s; at the last try: ${trouble}`,
    );
    expect(notices[0]).toBe(`rank 1 waits for rank 0: ${trouble}`);
  });

  it('and stop waiting when they are told to', async () => {
    const ports = [await freePort()];
    for (const rank of [0, 1]) {
      const signal = AbortSignal.timeout(200);
      expect(await failure(join(launchedAs(rank, 2, { ports }), { signal }))).toBe(signal.reason);
    }
  });

  it('again after one went away before the start', async () => {
    const ports = [await freePort()];
    const notices: string[] = [];
    const first = join(launchedAs(0, 3, { ports }), { onNotice: (text) => notices.push(text) });
    const gone = join(launchedAs(1, 3, { ports }), { signal: AbortSignal.timeout(300) });
    await failure(gone);
    await Promise.all([first, join(launchedAs(1, 3, { ports })), join(launchedAs(2, 3, { ports }))]);
    expect(notices.join()).toMatch(/rank 1 on host \S+ \(127\.0\.0\.1\) went away before all were there/);
  });

  it('and refuse one that comes late', async () => {
    const ports = [await freePort()];
    const groups = await Promise.all([0, 1].map((rank) => join(launchedAs(rank, 2, { ports }))));
    expect((await failure(join(launchedAs(1, 2, { ports })))).message).toMatch(
      /: all 2 processes of the group are there, and at work, already$/,
    );
    expect(await Promise.all(groups.map((group) => group.gather(1)))).toHaveLength(2);
  });

  it('unless a launcher has started all again: they wait until those of before are gone', async () => {
    const ports = [await freePort()];
    const more = { ports, startsAgain: true };
    const before = await Promise.all([0, 1].map((rank) => join(launchedAs(rank, 2, more))));
    const third = join(launchedAs(2, 3, more));
    await new Promise((go) => setTimeout(go, 300));
    await Promise.all(before.map((group) => group.close()));
    const others = await Promise.all([0, 1].map((rank) => join(launchedAs(rank, 3, more))));
    expect([...others, await third].map(({ size }) => size)).toEqual([3, 3, 3]);
  });
});

describe('bytes of strangers', () => {
  it('never count, whatever they are', async () => {
    const port = await freePort();
    const first = join(launchedAs(0, 2, { ports: [port] }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const sent = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map(frameOf),
      fc
        .record({ kind: fc.constantFrom('hello', 'ready', 'start', 'bye', 'value'), rank: fc.integer() })
        .map((value) => frameOf(JSON.stringify(value))),
      fc.nat().map((length) => {
        const header = Buffer.alloc(8);
        header.writeUInt32BE(length % 0xffffffff);
        return header;
      }),
    );
    await fc.assert(
      fc.asyncProperty(sent, async (bytes) => {
        const socket = connect(port, '127.0.0.1').on('error', () => undefined);
        socket.end(bytes);
        socket.resume();
        await once(socket, 'close');
      }),
      { numRuns: 300 },
    );
    const groups = await Promise.all([first, join(launchedAs(1, 2, { ports: [port] }))]);
    expect(await Promise.all(groups.map((group) => group.gather(group.rank)))).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it('and silence end the connection', async () => {
    const port = await freePort();
    const options = { handshakeTimeout: 0.3, joinTimeout: 2 };
    const first = failure(join(launchedAs(0, 2, { ports: [port] }), options));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const begin = performance.now();
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.write(Buffer.of(0, 0));
    await once(socket, 'close');
    expect(performance.now() - begin).toBeLessThan(1500);
    await first;
  });
});

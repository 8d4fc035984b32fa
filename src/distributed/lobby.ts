/** Where the processes of a group meet, on rank 0's side: it listens, takes each rank once, and starts when all are there. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { packageVersion } from '../version.ts';
import { isOnOneMachine, type Launched } from './launcher.ts';
import { GroupError } from './lost-peer.ts';
import { type Connection, connectionOf, isLocal } from './wire/connection.ts';
import { type Pace, watch } from './wire/heartbeats.ts';
import type { Hello, Refusal } from './wire/messages.ts';

export interface Meeting {
  readonly launched: Launched;
  readonly host: string;
  readonly pace: Pace;
  readonly joinMs: number;
  readonly handshakeMs: number;
  readonly noticeMs: number;
  readonly onNotice: (text: string) => void;
  /** Aborted: nobody waits any longer. */
  readonly signal: AbortSignal | undefined;
}

/** What the processes know of each other when all are there. */
export interface Met {
  readonly connections: ReadonlyMap<number, Connection>;
  readonly hosts: readonly string[];
  /** By rank, a number for each machine. */
  readonly machines: readonly number[];
  readonly address: string;
  readonly close: () => Promise<void>;
}

interface Guest {
  readonly hello: Hello;
  readonly connection: Connection;
  /** It has answered: it waits here and nowhere else. */
  isReady: boolean;
}

/** Time for the rank 0 of an earlier attempt to leave the port. */
const portPatienceMs = 30_000;

/** The reason for which the waiting ends well. */
const allThere = Symbol('all are there');

/** Connections of strangers that are open at one time. */
const strangers = 256;

/** @throws GroupError if not all come in time, or one comes that cannot belong to the group. */
export async function meet(meeting: Meeting): Promise<Met> {
  const { launched, host, pace, joinMs, handshakeMs, noticeMs, onNotice, signal } = meeting;
  const { size } = launched;
  const guests = new Map<number, Guest>();
  const ready = (): Guest[] => [...guests.values()].filter(({ isReady }) => isReady);
  const server = await listen(meeting);
  let isMet = false;
  const ended = new AbortController();
  const fail = (message: string): void => ended.abort(new GroupError(message));

  const newcomers = new Set<Connection>();
  server.on('connection', (socket) => {
    const connection = connectionOf(socket);
    newcomers.add(connection);
    const timer = setTimeout(() => connection.destroy(), handshakeMs);
    socket.once('close', () => {
      clearTimeout(timer);
      newcomers.delete(connection);
    });
    connection.listen({
      onMessage: (message) => {
        if (message.kind === 'hello') greet(message, connection, () => clearTimeout(timer));
        else connection.destroy();
      },
      onClose: () => undefined,
    });
  });

  function greet(hello: Hello, connection: Connection, onReady: () => void): void {
    const fault = faultOf(hello, { launched, guests, isMet });
    const who = `rank ${hello.rank} on host ${hello.host} (${connection.remoteAddress})`;
    if (fault !== undefined) {
      connection.send({
        kind: 'refused',
        because: fault.because,
        attempt: launched.attempt,
        text: fault.text,
      });
      newcomers.delete(connection);
      void connection.end(handshakeMs);
      const message = `${who} was refused: ${fault.text}`;
      // Another run's process has come to a wrong port. One of this run's leaves a place empty for good.
      if (isMet || fault.because === 'run' || fault.because === 'attempt') onNotice(message);
      else fail(message);
      return;
    }
    const guest: Guest = { hello, connection, isReady: false };
    guests.set(hello.rank, guest);
    connection.listen({
      onMessage: (message) => {
        if (message.kind !== 'ready' || guest.isReady) {
          leave('it said what no process says here');
          return;
        }
        guest.isReady = true;
        onReady();
        newcomers.delete(connection);
        connection.trust();
        if (ready().length === size - 1) ended.abort(allThere);
      },
      onClose: () => leave('its connection was closed'),
    });
    function leave(why: string): void {
      connection.destroy();
      if (isMet || guests.get(hello.rank) !== guest) return;
      guests.delete(hello.rank);
      if (guest.isReady) onNotice(`${who} went away before all were there: ${why}`);
    }
    connection.send({ kind: 'accepted' });
  }

  const endWatch = watch({
    ...pace,
    connections: () => ready().map((guest) => [guest, guest.connection] as const),
    onSilent: ({ connection, hello }) => {
      connection.destroy();
      guests.delete(hello.rank);
      onNotice(`rank ${hello.rank} on host ${hello.host} was silent and is waited for again`);
    },
  });
  const missing = (): string => {
    const joined = ready();
    const here = new Set(joined.map(({ hello }) => hello.rank));
    const absent = Array.from({ length: size - 1 }, (_, index) => index + 1).filter(
      (rank) => !here.has(rank),
    );
    const there = [
      `rank 0 on host ${host}`,
      ...joined.map(({ hello }) => `rank ${hello.rank} on host ${hello.host}`),
    ];
    return `${ranksText(absent)} of ${size} processes; there ${there.length === 1 ? 'is' : 'are'} ${someOf(there)}`;
  };
  const notices = setInterval(() => onNotice(`waiting for ${missing()}`), noticeMs);
  const timeout = setTimeout(
    () =>
      fail(
        `${missing()}: the others did not come to port ${portOf(server)} within ${joinMs / 1000} s; look at their output, and at whether their machines reach this one`,
      ),
    joinMs,
  );
  const onAbort = (): void => ended.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  if (signal?.aborted) onAbort();
  const close = async (): Promise<void> => {
    for (const connection of newcomers) connection.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  try {
    if (!ended.signal.aborted) await once(ended.signal, 'abort');
    if (ended.signal.reason !== allThere) throw ended.signal.reason;
    isMet = true;
    return { ...begin(guests, { size, host }), close };
  } catch (error) {
    const text = `rank 0 on host ${host} gave up: ${(error as Error).message}`;
    for (const { connection } of guests.values()) {
      newcomers.delete(connection);
      connection.send({
        kind: 'refused',
        because: 'ended',
        attempt: launched.attempt,
        text: text.slice(0, 10_000),
      });
      void connection.end(handshakeMs);
    }
    void close();
    throw error;
  } finally {
    endWatch();
    clearInterval(notices);
    clearTimeout(timeout);
    signal?.removeEventListener('abort', onAbort);
  }
}

const portOf = (server: Server): number => (server.address() as { port: number }).port;

/** 'ranks 1, 2, 5' */
const ranksText = (ranks: readonly number[]): string =>
  `${ranks.length === 1 ? 'rank' : 'ranks'} ${someOf(ranks.map(String))}`;

const someOf = (texts: readonly string[]): string =>
  texts.length <= 8 ? texts.join(', ') : `${texts.slice(0, 8).join(', ')} and ${texts.length - 8} more`;

function faultOf(
  { version, run, attempt, size, rank }: Hello,
  { launched, guests, isMet }: { launched: Launched; guests: ReadonlyMap<number, Guest>; isMet: boolean },
): { readonly because: Refusal; readonly text: string } | undefined {
  if (run !== launched.run)
    return {
      because: 'run',
      text: `it belongs to the run '${run}'; the group here is that of '${launched.run}'`,
    };
  if (attempt !== launched.attempt)
    return {
      because: 'attempt',
      text: `it belongs to attempt ${attempt} of the run; the group here is that of attempt ${launched.attempt}`,
    };
  if (isMet)
    return {
      because: 'full',
      text: `all ${launched.size} processes of the group are there, and at work, already`,
    };
  if (version !== packageVersion)
    return {
      because: 'version',
      text: `it runs version ${version} of the package, rank 0 version ${packageVersion}; install the same on all machines`,
    };
  if (size !== launched.size)
    return {
      because: 'size',
      text: `it was started as one of ${size} processes, rank 0 as one of ${launched.size}; give all the same number`,
    };
  const other = guests.get(rank)?.hello.host;
  if (rank === 0 || rank >= size || other !== undefined)
    return {
      because: 'rank',
      text: `${rank === 0 ? 'that rank is this process' : other === undefined ? `there are ranks 0 to ${size - 1}` : `a process on host ${other} has that rank already`}; every rank is to be started once`,
    };
  return undefined;
}

/** Listens on the first port of the row that is free, or waits for the only one. */
async function listen({ launched, joinMs }: Meeting): Promise<Server> {
  const { ports } = launched;
  const deadline = performance.now() + Math.min(joinMs, portPatienceMs);
  for (;;) {
    for (const port of ports) {
      const server = await tryToListen(port, launched);
      if (server !== undefined) return server;
    }
    if (ports.length > 1 || performance.now() > deadline)
      throw new GroupError(
        ports.length === 1
          ? `port ${ports[0]}: another process listens there, where rank 0 is to wait for the others; end it, or set MASTER_PORT to a port that is free`
          : `ports ${ports[0]} to ${ports.at(-1)}: other processes listen on all of them, where rank 0 is to wait for the others; set MASTER_PORT to a port that is free`,
      );
    await delay(250);
  }
}

async function tryToListen(port: number, launched: Launched): Promise<Server | undefined> {
  const server = createServer();
  server.maxConnections = launched.size + strangers;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).once('listening', resolve);
      // Where no other machine takes part, none can connect.
      server.listen({ port, backlog: 1024, ...(isOnOneMachine(launched) && { host: '127.0.0.1' }) });
    });
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}

/** Tells all that all are there. */
function begin(
  guests: ReadonlyMap<number, Guest>,
  { size, host }: { size: number; host: string },
): Omit<Met, 'close'> {
  const connections = new Map<number, Connection>();
  const hosts = [host];
  const machines = [0];
  const known = new Map<string, number>();
  let address = '127.0.0.1';
  for (let rank = 1; rank < size; rank++) {
    const { connection, hello } = guests.get(rank) as Guest;
    connections.set(rank, connection);
    hosts.push(hello.host);
    if (isLocal(connection)) machines.push(0);
    else {
      address = connection.localAddress;
      const machine = `${hello.host} ${connection.remoteAddress}`;
      if (!known.has(machine)) known.set(machine, known.size + 1);
      machines.push(known.get(machine) as number);
    }
  }
  for (const connection of connections.values()) connection.send({ kind: 'start', hosts, machines, address });
  return { connections, hosts, machines, address };
}

/**
 * A group at work: rank 0 has a connection to each of the others, who have one to rank 0. Values go to rank 0 and results come back;
 * rank 0 notices who is lost and tells the others, and the others notice if rank 0 is.
 */

import { printable } from '../printable.ts';
import type { Group } from './group.ts';
import { GroupError, LostPeerError } from './lost-peer.ts';
import type { Connection } from './wire/connection.ts';
import { FrameError, frameOf } from './wire/frames.ts';
import { type Pace, watch } from './wire/heartbeats.ts';
import type { Loss, Message, MessageOf, Method } from './wire/messages.ts';

interface Star extends Pick<Group, 'rank' | 'size' | 'localRank' | 'localSize' | 'hosts' | 'address'> {
  /** By rank: of rank 0 to all others, of each other to rank 0. */
  readonly connections: ReadonlyMap<number, Connection>;
  readonly pace: Pace;
  /** When the group is left: rank 0 stops listening. */
  readonly onClose: () => Promise<void>;
}

interface Waiting {
  readonly method: Method;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** What rank 0 has of a call: values by rank. */
interface Collected {
  readonly values: Map<number, unknown>;
  readonly methods: Map<number, Method>;
}

/** JSON has no undefined; what a process passed and got back is the same on all of them. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? 'null');

export function startStar({ connections, pace, onClose, ...place }: Star): Group {
  const { rank, size, hosts } = place;
  const isFirst = rank === 0;
  const lost = new AbortController();
  /** Who has said goodbye. */
  const left = new Set<number>();
  const waiting = new Map<number, Waiting>();
  const collected = new Map<number, Collected>();
  /** Results that came before they were asked for. */
  const early = new Map<number, MessageOf<'result'>>();
  let calls = 0;
  let isClosed = false;

  const endWatch = watch({
    ...pace,
    connections: function* () {
      for (const entry of connections) if (!left.has(entry[0])) yield entry;
    },
    onSilent: (peer) => lose(peer, 'silent', String(pace.silenceMs / 1000)),
  });

  for (const [peer, connection] of connections)
    connection.listen({
      onMessage: (message) => receive(peer, message),
      onClose: (malformed) => {
        if (!left.has(peer)) lose(peer, malformed === undefined ? 'closed' : 'malformed', malformed ?? '');
      },
    });

  /** The first loss ends the group. */
  function lose(peer: number, how: Loss, detail = ''): void {
    if (isClosed || lost.signal.aborted) return;
    endWatch();
    const host = hosts[peer] as string;
    const error = new LostPeerError({ rank: peer, host, how, detail, isThis: peer === rank });
    // The lost one is told too: it may only have been stopped.
    if (isFirst || peer === 0)
      for (const connection of connections.values())
        connection.send({ kind: 'lost', rank: peer, how, detail });
    for (const connection of connections.values()) void connection.end(pace.silenceMs);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    lost.abort(error);
  }

  function receive(peer: number, message: Message): void {
    if (message.kind === 'bye') takeLeave(peer, message.because);
    else if (isFirst && message.kind === 'value') collect(peer, message);
    else if (!isFirst && message.kind === 'result') deliver(message);
    else if (message.kind === 'lost' && message.rank < size && (message.rank === 0 || !isFirst))
      lose(message.rank, message.how, message.detail);
    else lose(peer, 'malformed', `a message '${message.kind}'`);
  }

  function takeLeave(peer: number, because: string | undefined): void {
    left.add(peer);
    // Others may be in the middle of a step, where no call tells them that it is gone.
    if (because !== undefined) lose(peer, 'left', because);
    // Its results were sent before: what still waits, waits in vain.
    if (!isFirst && waiting.size > 0) lose(peer, 'left');
    if (isFirst) for (const call of [...waiting.keys()]) settle(call);
  }

  function collect(
    peer: number,
    { call, method, value }: Pick<MessageOf<'value'>, 'call' | 'method' | 'value'>,
  ) {
    const { values, methods } = collectedFor(call);
    values.set(peer, value);
    methods.set(peer, method);
    settle(call);
  }

  function collectedFor(call: number): Collected {
    const known = collected.get(call) ?? { values: new Map(), methods: new Map() };
    collected.set(call, known);
    return known;
  }

  /** Rank 0: answers a call for which all values are there. */
  function settle(call: number): void {
    const own = waiting.get(call);
    if (own === undefined || lost.signal.aborted) return;
    const { values, methods } = collectedFor(call);
    const other = [...methods].find(([, method]) => method !== own.method);
    const gone = [...left].find((peer) => !values.has(peer));
    if (other !== undefined) lose(other[0], 'disagrees', difference(call, own.method, other[1]));
    else if (gone !== undefined) lose(gone, 'left');
    else if (values.size === size) answer(call, own, values);
  }

  function answer(call: number, { method, resolve, reject }: Waiting, values: Collected['values']): void {
    collected.delete(call);
    waiting.delete(call);
    const all = method === 'barrier' ? null : hosts.map((_, index) => values.get(index));
    try {
      publish({ kind: 'result', call, method, value: all });
      resolve(all);
    } catch (error) {
      // Together the values are too long for one message. The others wait for it: they must hear that none comes.
      if (!(error instanceof FrameError)) throw error;
      reject(error);
      lose(0, 'disagrees', error.message);
    }
  }

  function publish(message: MessageOf<'result'>): void {
    const frame = frameOf(JSON.stringify(message));
    for (const [peer, connection] of connections) if (!left.has(peer)) connection.sendFrame(frame);
  }

  function deliver(result: MessageOf<'result'>): void {
    const own = waiting.get(result.call);
    if (own === undefined) {
      early.set(result.call, result);
      return;
    }
    if (own.method === result.method) {
      waiting.delete(result.call);
      own.resolve(result.value);
    } else lose(0, 'disagrees', difference(result.call, own.method, result.method));
  }

  /** Begins a call on this process. */
  async function call(method: Method, value: unknown): Promise<unknown> {
    if (isClosed) throw new GroupError(`${method}: this process has left its group`);
    lost.signal.throwIfAborted();
    const number = calls++;
    if (isFirst && method === 'fromFirst') {
      publish({ kind: 'result', call: number, method, value });
      return value;
    }
    return new Promise((resolve, reject) => {
      waiting.set(number, { method, resolve, reject });
      if (isFirst) return collect(0, { call: number, method, value });
      if (method !== 'fromFirst') connections.get(0)?.send({ kind: 'value', call: number, method, value });
      const result = early.get(number);
      early.delete(number);
      if (result !== undefined) deliver(result);
      else if (left.has(0)) lose(0, 'left');
    });
  }

  return {
    ...place,
    lost: lost.signal,
    gather: async <T>(value: T) => (await call('gather', asJson(value))) as readonly T[],
    fromFirst: async <T>(value: T | undefined) =>
      (await call('fromFirst', isFirst ? asJson(value) : null)) as T,
    barrier: async () => {
      await call('barrier', null);
    },
    close: async (because) => {
      if (isClosed) return;
      isClosed = true;
      endWatch();
      for (const { method, reject } of waiting.values())
        reject(new GroupError(`${method}: this process has left its group`));
      waiting.clear();
      // After a loss there is nothing to wait for but the message that says so.
      const graceMs = lost.signal.aborted ? Math.min(1000, pace.silenceMs) : pace.silenceMs;
      if (!lost.signal.aborted) for (const connection of connections.values()) connection.send(bye(because));
      await Promise.all([
        ...[...connections.values()].map((connection) => connection.end(graceMs)),
        onClose(),
      ]);
    },
  };
}

const bye = (because: Error | undefined): Message => ({
  kind: 'bye',
  ...(because && { because: printable(because.message) }),
});

const difference = (call: number, one: Method, other: Method): string =>
  `call ${call + 1} of the group is ${one} on the one and ${other} on the other`;

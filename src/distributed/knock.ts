/** Where the processes of a group meet, on the side of all ranks but 0: they find rank 0's port and wait for the start. */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { packageVersion } from '../version.ts';
import { isOnOneMachine } from './launcher.ts';
import type { Meeting, Met } from './lobby.ts';
import { GroupError } from './lost-peer.ts';
import { type Connection, connectionOf } from './wire/connection.ts';
import { watch } from './wire/heartbeats.ts';
import type { MessageOf } from './wire/messages.ts';

/** Pause before all ports are tried again, while rank 0 is not there yet. */
const againMs = 250;

type Outcome =
  | { readonly kind: 'started'; readonly connection: Connection; readonly start: MessageOf<'start'> }
  /** Not rank 0, or not yet. */
  | { readonly kind: 'again'; readonly why: string | undefined };

/** @throws GroupError if rank 0 is not found in time, or does not take this process. */
export async function findFirst(meeting: Meeting): Promise<Met> {
  const { launched, joinMs, noticeMs, onNotice, signal } = meeting;
  const host = isOnOneMachine(launched) ? '127.0.0.1' : launched.host;
  const deadline = performance.now() + joinMs;
  const state = { trouble: 'not tried yet', isAccepted: false };
  const notices = setInterval(
    () =>
      onNotice(
        state.isAccepted
          ? `rank ${launched.rank} has found rank 0, which waits for the others`
          : `rank ${launched.rank} waits for rank 0: ${state.trouble}`,
      ),
    noticeMs,
  );
  try {
    for (;;) {
      for (const port of launched.ports) {
        signal?.throwIfAborted();
        const leftMs = deadline - performance.now();
        if (leftMs <= 0)
          throw new GroupError(
            `rank ${launched.rank} of ${launched.size} did not find its group within ${joinMs / 1000} s; at the last try: ${state.trouble}`,
          );
        const outcome = await knock(meeting, {
          host,
          port,
          leftMs,
          onAccepted: (isAccepted) => {
            state.isAccepted = isAccepted;
          },
        });
        state.isAccepted = false;
        if (outcome.kind === 'started') return metBy(outcome);
        if (outcome.why !== undefined) state.trouble = `${host}:${port}: ${outcome.why}`;
      }
      await delay(Math.min(againMs, Math.max(0, deadline - performance.now())));
    }
  } finally {
    clearInterval(notices);
  }
}

function metBy({ connection, start: { hosts, machines, address } }: Outcome & { kind: 'started' }): Met {
  const onlyOne = machines.every((machine) => machine === 0);
  const isLoopback = /^127\.|^::1$/.test(connection.localAddress);
  return {
    connections: new Map([[0, connection]]),
    hosts,
    machines,
    // A process on rank 0's machine came by an address that other machines may not have.
    address: onlyOne || isLoopback ? address : connection.localAddress,
    close: async () => undefined,
  };
}

interface Door {
  readonly host: string;
  readonly port: number;
  readonly leftMs: number;
  readonly onAccepted: (isAccepted: boolean) => void;
}

/** Tries one port, and where rank 0 is behind it waits there for the start. */
function knock(meeting: Meeting, { host, port, leftMs, onAccepted }: Door): Promise<Outcome> {
  const { launched, pace, handshakeMs, signal } = meeting;
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host, port });
    let connection: Connection | undefined;
    let endWatch = (): void => undefined;
    let isFinished = false;
    let isAccepted = false;
    const finish = (outcome: Outcome | Error): void => {
      if (isFinished) return;
      isFinished = true;
      clearTimeout(timer);
      clearTimeout(last);
      endWatch();
      signal?.removeEventListener('abort', onAbort);
      if (outcome instanceof Error || outcome.kind === 'again') {
        connection?.destroy();
        socket.destroy();
      }
      // Results may follow the start in the same bytes.
      connection?.listen(undefined);
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    const again = (why: string | undefined): void => finish({ kind: 'again', why });
    const onAbort = (): void => finish(signal?.reason as Error);
    signal?.addEventListener('abort', onAbort);
    const timer = setTimeout(() => again(`no answer within ${handshakeMs / 1000} s`), handshakeMs);
    // A port that was only just tried has no fault of its own.
    const last = setTimeout(() => again(isAccepted ? 'not all processes came' : undefined), leftMs);
    // Names may not be known yet: a pod's appears with the pod.
    socket.once('error', (error: NodeJS.ErrnoException) => again(error.code ?? error.message));
    socket.once('connect', () => {
      const open = connectionOf(socket);
      connection = open;
      open.listen({
        onMessage: (message) => {
          if (message.kind === 'refused') refused(message);
          else if (message.kind === 'accepted') {
            clearTimeout(timer);
            isAccepted = true;
            onAccepted(true);
            open.trust();
            open.send({ kind: 'ready' });
            endWatch = watch({
              ...pace,
              connections: () => [[0, open] as const],
              onSilent: () => again('rank 0 was silent'),
            });
          } else if (message.kind === 'start' && isFor(message, launched.size)) {
            finish({ kind: 'started', connection: open, start: message });
          } else again('what listens there does not speak as a group of processes does');
        },
        onClose: (malformed) =>
          again(malformed === undefined ? 'the connection was closed' : 'what listens there is not rank 0'),
      });
      const { run, attempt, size, rank } = launched;
      open.send({
        kind: 'hello',
        protocol: 'inception-group',
        version: packageVersion,
        ...{ run, attempt, size, rank },
        host: meeting.host,
      });
    });

    function refused({ because, attempt, text }: MessageOf<'refused'>): void {
      const isElsewhere = because === 'run' && launched.ports.length > 1;
      // Rank 0 of an earlier attempt is about to end.
      const isOld =
        (because === 'attempt' && attempt < launched.attempt) ||
        (because === 'full' && launched.startsAgain === true);
      if (isElsewhere || isOld) again(text);
      else
        finish(
          new GroupError(
            because === 'ended'
              ? text
              : `rank ${launched.rank} was refused by rank 0 at ${host}:${port}: ${text}`,
          ),
        );
    }
  });
}

const isFor = ({ hosts, machines }: MessageOf<'start'>, size: number): boolean =>
  hosts.length === size && machines.length === size;

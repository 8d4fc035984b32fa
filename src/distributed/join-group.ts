/** How processes that were started together become a group. */
import { hostname } from 'node:os';
import { printable } from '../printable.ts';
import { type Group, ownGroup } from './group.ts';
import { findFirst } from './knock.ts';
import type { Launched } from './launcher.ts';
import { type Meeting, type Met, meet } from './lobby.ts';
import { startStar } from './star.ts';

export interface JoinOptions {
  /** Lines that say who is waited for. */
  readonly onNotice?: (text: string) => void;
  /** Seconds until all processes must have come. Default 600. */
  readonly joinTimeout?: number;
  /** Seconds of silence after which a process is lost. Default 15. */
  readonly peerTimeout?: number;
  /** Seconds between heartbeats. Default 1. */
  readonly heartbeat?: number;
  /** Seconds that a connection has to shake hands. Default 10. */
  readonly handshakeTimeout?: number;
  /** Seconds between notices. Default 10. */
  readonly noticeEvery?: number;
  /** Ends the waiting for others; the call then rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** Waits for all processes that were started together. @throws GroupError if they do not come or do not belong together. */
export async function joinGroup(
  launched: Launched,
  {
    onNotice = () => undefined,
    joinTimeout = 600,
    peerTimeout = 15,
    heartbeat = 1,
    handshakeTimeout = 10,
    noticeEvery = 10,
    signal,
  }: JoinOptions = {},
): Promise<Group> {
  const { rank, size } = launched;
  if (size === 1) return ownGroup;
  const pace = { heartbeatMs: heartbeat * 1000, silenceMs: peerTimeout * 1000 };
  const meeting: Meeting = {
    launched,
    host: hostname(),
    pace,
    joinMs: joinTimeout * 1000,
    handshakeMs: handshakeTimeout * 1000,
    noticeMs: noticeEvery * 1000,
    // Names of hosts come from the network.
    onNotice: (text) => onNotice(printable(text)),
    signal,
  };
  const met = await (rank === 0 ? meet(meeting) : findFirst(meeting));
  const { connections, hosts, address } = met;
  return startStar({
    rank,
    size,
    hosts,
    address,
    ...placeOnMachine(launched, met),
    connections,
    pace,
    onClose: met.close,
  });
}

/** What the launcher says; else the processes on one machine are counted in the order of their ranks. */
function placeOnMachine(
  { rank, localRank, localSize }: Launched,
  { machines }: Met,
): Pick<Group, 'localRank' | 'localSize'> {
  const ranks = machines.flatMap((machine, index) => (machine === machines[rank] ? [index] : []));
  return { localRank: localRank ?? ranks.indexOf(rank), localSize: localSize ?? ranks.length };
}

/** Processes that were started together and know of each other: who they are, values between them, and who is lost. */
import { hostname } from 'node:os';

/** The processes of one run. All call the same methods in the same order. */
export interface Group {
  readonly rank: number;
  readonly size: number;
  /** Rank among the processes on this machine. */
  readonly localRank: number;
  readonly localSize: number;
  /** Names of the machines by rank, for messages. */
  readonly hosts: readonly string[];
  /** The local address by which the other machines are reached; 127.0.0.1 where all processes are on one machine. */
  readonly address: string;
  /** What every process passed, by rank. Values are JSON. @throws LostPeerError */
  gather<T>(value: T): Promise<readonly T[]>;
  /** What rank 0 passed, which is JSON; what the others pass is ignored. @throws LostPeerError */
  fromFirst<T>(value: T | undefined): Promise<T>;
  /** Resolves when all processes are here. @throws LostPeerError */
  barrier(): Promise<void>;
  /** Aborted as soon as a process is lost; the reason is a LostPeerError. */
  readonly lost: AbortSignal;
  /**
   * Leaves in good order: for the others it is no loss, unless they still wait for this process. With the error for which it leaves, which
   * is what the others are told, their group ends at once.
   */
  close(because?: Error): Promise<void>;
}

/** This process alone: a group of one, in which every call is answered at once. */
export const ownGroup: Group = {
  rank: 0,
  size: 1,
  localRank: 0,
  localSize: 1,
  hosts: [hostname()],
  address: '127.0.0.1',
  gather: async (value) => [value],
  fromFirst: async <T>(value: T | undefined) => value as T,
  barrier: async () => undefined,
  lost: new AbortController().signal,
  close: async () => undefined,
};

/** What is said when processes of a group do not find or lose each other. */
import { InceptionError } from '../errors.ts';
import type { Loss } from './wire/messages.ts';

/** Processes that were started together did not become a group. */
export class GroupError extends InceptionError {
  override name = 'GroupError';
}

/** A process of the group is gone, and with it the group. */
export class LostPeerError extends InceptionError {
  override name = 'LostPeerError';
  /** Of the lost process. */
  readonly rank: number;
  readonly host: string;

  constructor({ rank, host, how, detail, isThis = false }: LostPeer) {
    const who = isThis ? `this process, rank ${rank} on host ${host},` : `rank ${rank} on host ${host}`;
    super(
      `${who} ${words[how](detail)}; ${how === 'left' && detail !== '' ? 'this process ends too' : advice}`,
    );
    this.rank = rank;
    this.host = host;
  }
}

export interface LostPeer {
  readonly rank: number;
  readonly host: string;
  readonly how: Loss;
  /** For 'silent': seconds; for 'left': why, if it said so. Otherwise what was received. */
  readonly detail: string;
  /** The others lost this process, which was stopped and goes on. */
  readonly isThis?: boolean;
}

const words: Readonly<Record<Loss, (detail: string) => string>> = {
  silent: (seconds) =>
    `was silent for ${seconds} s: it is stopped, its machine is gone, or the network between is down`,
  closed: () => 'is gone: its connection was closed; its own output may say why',
  left: (because) =>
    because === ''
      ? 'has left the group while others still wait for it; its own output may say why'
      : `has failed: ${because}`,
  malformed: (received) => `sent what no process of a group sends (${received})`,
  disagrees: (received) => `does something else than the others (${received})`,
};

const advice =
  'this process ends too, because a group is whole or none. The last checkpoint of a training is whole: start all processes again, with --resume';

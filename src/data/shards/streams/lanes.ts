/** Which reader of which process reads which shards of an epoch. Pure: all processes come to the same answer without a word between them. */
import { permutation, randomFor } from '../../../random.ts';

/** A shard for one reader, or, where there are fewer shards than readers, each `of`th image of it from `share`. */
export interface Turn {
  /** Index into the shards. */
  readonly shard: number;
  readonly share: number;
  readonly of: number;
}

export interface LaneOptions {
  readonly shards: number;
  /** Processes times the readers of each. */
  readonly lanes: number;
  readonly seed: number;
  /** From 0. */
  readonly epoch: number;
}

/** The shards of each reader in their order, another in every epoch. Each image is in one of them. */
export function lanesOf({ shards, lanes, seed, epoch }: LaneOptions): Turn[][] {
  const order = permutation(shards, randomFor(seed, epoch, -1));
  return Array.from({ length: lanes }, (_, lane) => {
    if (shards < lanes) {
      const place = lane % shards;
      const of = Math.floor(lanes / shards) + (place < lanes % shards ? 1 : 0);
      return [{ shard: order[place] as number, share: Math.floor(lane / shards), of }];
    }
    const turns: Turn[] = [];
    for (let place = lane; place < shards; place += lanes)
      turns.push({ shard: order[place] as number, share: 0, of: 1 });
    return turns;
  });
}

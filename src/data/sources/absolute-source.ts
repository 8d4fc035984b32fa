/** What `--data` names as a whole path, so that a run that records it can be gone on with from anywhere. */
import { resolve } from 'node:path';
import { absoluteShards, isShardList } from '../shards/find-shards.ts';

/** A name of a data set and what is no file stay as they are. */
export const absoluteSource = (source: string): string => {
  if (source === 'fashion-mnist') return source;
  return isShardList(source) ? absoluteShards(source) : resolve(source);
};

/** Recognises what `--data` names: a form of data sets is an entry here. */
import { openFashionMnist } from '../fashion-mnist/fashion-mnist.ts';
import { imagenetSource } from '../imagenet/imagenet-source.ts';
import { recordSource } from '../records/record-source.ts';
import { shardSource } from '../shards/shard-source.ts';
import { ofPixels } from '../splits/identical-files.ts';
import { folderSource } from './folder-source.ts';
import type { Source } from './source.ts';

/** Tried in turn: each gives undefined for what is not of its form; the last takes everything. */
const forms: readonly ((source: string) => Promise<Source | undefined>)[] = [
  async (source) => (source === 'fashion-mnist' ? fashionMnistSource : undefined),
  shardSource,
  recordSource,
  imagenetSource,
  folderSource,
];

/** @throws DataError for what is no data set, or a broken one */
export async function findSource(source: string): Promise<Source> {
  for (const form of forms) {
    const found = await form(source);
    if (found) return found;
  }
  throw new Error('the last form takes everything');
}

const fashionMnistSource: Source = {
  kind: 'Fashion-MNIST',
  name: 'fashion-mnist',
  splits: ['train', 'test'],
  nameOf: (split) => split,
  expected: (split) => `a ${split} split`,
  open: (split) => openFashionMnist(split === 'test' ? 'test' : 'train'),
  report: { leftOut: [], decisions: [] },
  fingerprints: ofPixels,
};

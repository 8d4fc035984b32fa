/** An index of scanned shards: images of all of them in one order, as columns. Pure. */
import { quoted } from '../../printable.ts';
import { sortText } from './samples.ts';
import type { ScannedImage } from './scan-shard.ts';
import { ShardError } from './shard-error.ts';
import { type IndexedShard, noLabel, pathAt, type ShardIndex } from './shard-index.ts';
import { blockBytes } from './tar/tar-header.ts';

/** A shard with its images. */
export interface ShardImages {
  readonly shard: IndexedShard;
  readonly images: readonly ScannedImage[];
}

/** More are captions, and no classes. */
const maxLabels = 100_000;

/** @throws ShardError where two images of a shard have one name, or labels are no classes */
export function buildIndex(folder: string, scanned: readonly ShardImages[]): ShardIndex {
  const all = scanned.flatMap(({ images }, shard) => images.map((image) => ({ ...image, shard })));
  const texts = all.map(({ path }) => sortText(path));
  const order = Uint32Array.from(all.keys()).sort((a, b) => {
    const [x, y] = [texts[a] as string, texts[b] as string];
    return x === y ? a - b : x < y ? -1 : 1;
  });
  const numbers = new Map<string, number>();
  const column = () => new Uint32Array(all.length);
  const columns = {
    shard: column(),
    block: column(),
    length: column(),
    label: column(),
    tail: column(),
    pathEnd: column(),
  };
  const paths: Buffer[] = [];
  let pathBytes = 0;
  let before: (typeof all)[number] | undefined;
  order.forEach((place, row) => {
    const image = all[place] as (typeof all)[number];
    if (before?.path === image.path && before.shard === image.shard)
      throw new ShardError(
        `${folder}/${scanned[image.shard]?.shard.name}: two members are called ${quoted(image.path)}`,
      );
    before = image;
    const bytes = Buffer.from(image.path);
    paths.push(bytes);
    pathBytes += bytes.length;
    columns.shard[row] = image.shard;
    columns.block[row] = image.offset / blockBytes;
    columns.length[row] = image.length;
    columns.label[row] = numberOf(image.label, numbers);
    columns.tail[row] = image.tail;
    columns.pathEnd[row] = pathBytes;
  });
  if (numbers.size > maxLabels)
    throw new ShardError(
      `${folder}: has ${numbers.size} different labels, the first '${[...numbers.keys()][0]}'; expected classes, at most ${maxLabels}: are they captions?`,
    );
  return {
    shards: scanned.map(({ shard }) => shard),
    labels: [...numbers.keys()],
    images: all.length,
    columns,
    paths: Buffer.concat(paths, pathBytes),
  };
}

function numberOf(label: string | undefined, numbers: Map<string, number>): number {
  if (label === undefined) return noLabel;
  const number = numbers.get(label) ?? numbers.size;
  numbers.set(label, number);
  return number;
}

/** The images of an index's shards, to be indexed with others. */
export function imagesOf(index: ShardIndex): ShardImages[] {
  const { shards, labels, images, columns } = index;
  const found = shards.map((shard) => ({ shard, images: [] as ScannedImage[] }));
  for (let row = 0; row < images; row++)
    found[columns.shard[row] as number]?.images.push({
      path: pathAt(index, row),
      offset: (columns.block[row] as number) * blockBytes,
      length: columns.length[row] as number,
      label: labels[columns.label[row] as number],
      tail: columns.tail[row] as number,
    });
  return found;
}

/** Work on a list that several processes share, portion by portion. */
import type { Group } from './group.ts';

/** Items of each process in a portion: a few minutes of a small machine, some batches of a large one. */
const usualPortion = 1024;

/**
 * Each process works on its share of every portion, and all get the results of all, by rank, before the next one: the first process can
 * write them, and no memory holds more than a portion. A process alone has one portion.
 */
export async function* inPortions<Item, Result>(
  items: readonly Item[],
  {
    group,
    portion = usualPortion,
  }: { readonly group: Pick<Group, 'rank' | 'size' | 'gather'>; readonly portion?: number },
  work: (own: readonly Item[]) => Promise<Result>,
): AsyncGenerator<readonly Result[]> {
  const { rank, size } = group;
  if (size === 1) {
    yield [await work(items)];
    return;
  }
  for (let begin = 0; begin < items.length; begin += portion * size) {
    const all = items.slice(begin, begin + portion * size);
    yield await group.gather(await work(all.filter((_, index) => index % size === rank)));
  }
}

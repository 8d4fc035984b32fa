/** Groups of images that look alike, found without comparing every pair. Pure. */
import { groupsOf } from '../data/splits/groups-of.ts';
import { isNear, nearThresholds, type PerceptualHash } from './perceptual-hash.ts';

/** Bits of a part of the hash by which candidates are looked up. */
const partBits = 16;
const parts = 64 / partBits;
// Of two hashes with at most 7 different bits, one of the four parts has at most one.
const mostFlips = 1;
if (nearThresholds.bits >= (mostFlips + 1) * parts) throw new Error('more parts are needed');

const partOf = ({ high, low }: PerceptualHash, part: number): number =>
  ((part < 2 ? low : high) >>> ((part & 1) * partBits)) & 0xffff;

/** Indices of images that are near, each group connected by pairs; images without any are left out. Undefined hashes match nothing. */
export function nearGroups(hashes: readonly (PerceptualHash | undefined)[]): number[][] {
  const leader = Int32Array.from(hashes, (_, index) => index);
  const find = (index: number): number => {
    let root = index;
    while (leader[root] !== root) root = leader[root] as number;
    for (let at = index; leader[at] !== root; ) {
      const next = leader[at] as number;
      leader[at] = root;
      at = next;
    }
    return root;
  };
  const tables = Array.from({ length: parts }, () => new Map<number, number[]>());
  const known = new Map<string, number>();
  hashes.forEach((hash, index) => {
    if (!hash) return;
    // A thousand blank images are one entry of the tables.
    const key = `${hash.high} ${hash.low} ${hash.colours}`;
    const same = known.get(key);
    if (same !== undefined) {
      leader[index] = find(same);
      return;
    }
    known.set(key, index);
    const join = (candidates: readonly number[] | undefined) => {
      for (const candidate of candidates ?? []) {
        const [a, b] = [find(candidate), find(index)];
        // What is in one group already need not be compared: many copies of an image cost one comparison each.
        if (a !== b && isNear(hash, hashes[candidate] as PerceptualHash))
          leader[Math.max(a, b)] = Math.min(a, b);
      }
    };
    tables.forEach((table, part) => {
      const value = partOf(hash, part);
      join(table.get(value));
      for (let bit = 0; bit < partBits; bit++) join(table.get(value ^ (1 << bit)));
    });
    tables.forEach((table, part) => {
      const value = partOf(hash, part);
      const there = table.get(value);
      if (there) there.push(index);
      else table.set(value, [index]);
    });
  });
  return groupsOf(hashes.keys(), (index) => (hashes[index] ? find(index) : undefined));
}

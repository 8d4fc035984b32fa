/**
 * Shuffles what comes one by one: a buffer is filled, and then each thing that comes takes the place of one that is drawn. Which number comes
 * out when follows from the random numbers alone, so that a resumed training knows what it does not need.
 */
import type { Random } from '../../../random.ts';

/** Which things a buffer that has given out `given` of them still needs. */
export interface Needed {
  /** The smallest number that is needed: everything before it is not. */
  readonly first: number;
  has(number: number): boolean;
}

export interface BufferOptions {
  readonly size: number;
  readonly random: Random;
}

/** What is in a buffer after it has given out `given` of `total` things, or will come to it: numbers in the order in which they come. */
export function neededAfter(
  given: number,
  { size, total, random }: BufferOptions & { total: number },
): Needed {
  const buffer = Array.from({ length: Math.min(size, total) }, (_, number) => number);
  let next = buffer.length;
  for (let out = 0; out < given; out++) {
    if (next < total) buffer[Math.floor(random() * size)] = next++;
    else take(buffer, random);
  }
  const kept = new Set(buffer);
  const first = given === 0 ? 0 : Math.min(next, ...buffer);
  return { first, has: (number) => number >= next || kept.has(number) };
}

/** Gives out the things in another order; a fixed number of them at most is held. */
export async function* shuffled<Thing>(
  things: AsyncIterable<Thing>,
  { size, random }: BufferOptions,
): AsyncGenerator<Thing> {
  const buffer: Thing[] = [];
  for await (const thing of things) {
    if (buffer.length < size) {
      buffer.push(thing);
      continue;
    }
    const place = Math.floor(random() * size);
    const drawn = buffer[place] as Thing;
    buffer[place] = thing;
    yield drawn;
  }
  while (buffer.length > 0) yield take(buffer, random);
}

/** Takes a random one out; the last takes its place. */
function take<Thing>(buffer: Thing[], random: Random): Thing {
  const place = Math.floor(random() * buffer.length);
  const drawn = buffer[place] as Thing;
  const last = buffer.pop() as Thing;
  if (place < buffer.length) buffer[place] = last;
  return drawn;
}

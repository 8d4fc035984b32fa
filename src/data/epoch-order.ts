/** Which images an epoch has, and in which order: a function of (seed, epoch), so that a resumed training goes on with the same. */
import { permutation, type Random, randomFor } from '../random.ts';
import type { Dataset } from './dataset.ts';

/** Each image once, or as many images with each class equally often. */
export type Sampling = 'shuffle' | 'balanced';

export interface EpochOrder {
  /** Indices into the data set. */
  readonly indices: Uint32Array;
  /** How often each image was drawn before in this epoch: a repeated image is augmented differently. Undefined: never. */
  readonly repeats: Uint32Array | undefined;
}

/** Orders of the epochs of a data set. */
export function epochOrders(
  dataset: Pick<Dataset, 'length' | 'classes' | 'label'>,
  { seed, sampling }: { readonly seed: number; readonly sampling: Sampling },
): (epoch: number) => EpochOrder {
  if (sampling === 'shuffle')
    return (epoch) => ({ indices: permutation(dataset.length, randomFor(seed, epoch)), repeats: undefined });
  const members: number[][] = dataset.classes.map(() => []);
  for (let index = 0; index < dataset.length; index++) members[dataset.label(index)]?.push(index);
  const present = members.filter((images) => images.length > 0);
  return (epoch) => balanced(present, { length: dataset.length, random: randomFor(seed, epoch) });
}

/** Each class's images in turns of random order: as many draws for each class, or one more where they do not divide. */
function balanced(
  classes: readonly (readonly number[])[],
  { length, random }: { length: number; random: Random },
): EpochOrder {
  const [draws, extra] = [Math.floor(length / classes.length), length % classes.length];
  const drawn: { index: number; repeat: number }[] = [];
  permutation(classes.length, random).forEach((which, place) => {
    const images = classes[which] as readonly number[];
    let order = permutation(images.length, random);
    for (let draw = 0; draw < draws + (place < extra ? 1 : 0); draw++) {
      const position = draw % images.length;
      if (draw > 0 && position === 0) order = permutation(images.length, random);
      const index = images[order[position] as number] as number;
      drawn.push({ index, repeat: Math.floor(draw / images.length) });
    }
  });
  const order = permutation(length, random);
  const entry = (place: number) => drawn[place] as { index: number; repeat: number };
  return {
    indices: order.map((place) => entry(place).index),
    repeats: order.map((place) => entry(place).repeat),
  };
}

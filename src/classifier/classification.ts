/** What a classifier says of an image; pure, for the browser too. */
import { UsageError } from '../errors.ts';
import { topClasses } from '../predict/top-classes.ts';

/** A label and how probable it is. */
export interface Classification {
  readonly label: string;
  /** The data set's identifier of the class, such as ImageNet's synset, if the model has them. */
  readonly id?: string;
  /** Index of the label in `classes`. */
  readonly index: number;
  /** 0–1. */
  readonly probability: number;
}

/** The most probable labels of an image, most probable first: always at least one. */
export type Classifications = readonly [Classification, ...Classification[]];

/** The `top` most probable of `classes`. @throws UsageError if `top` is not a whole number from 1. */
export function rank(
  probabilities: Float32Array | Float64Array,
  {
    classes,
    classIds,
    top,
  }: {
    readonly classes: readonly string[];
    readonly classIds?: readonly string[] | undefined;
    readonly top: number;
  },
): Classifications {
  if (!Number.isInteger(top) || top < 1)
    throw new UsageError(`top: expected a whole number of labels from 1, received ${top}`);
  const ranked = topClasses(probabilities, { classes: classes.length, k: top });
  return ranked.map(({ label, probability }) => ({
    label: classes[label] as string,
    ...(classIds?.[label] !== undefined && { id: classIds[label] }),
    index: label,
    probability,
  })) as unknown as Classifications;
}

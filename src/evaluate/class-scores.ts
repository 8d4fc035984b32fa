/**
 * Precision, recall and F1 of each class, balanced accuracy and macro F1, from the confusion. Pure; also for browsers. Definitions are
 * scikit-learn's; a fraction whose denominator is zero is null, neither 0 nor a number that is none.
 */

/** How many images of a label got a prediction. */
export type ConfusedPair = readonly [label: number, predicted: number, images: number];

/** How well one class is told from the others. */
export interface ClassScore {
  /** Index of the class. */
  readonly class: number;
  /** Images with this label. */
  readonly images: number;
  /** Images that are predicted to be of this class. */
  readonly predicted: number;
  /** Fraction of the images predicted to be of this class that are, 0–1; null if none is predicted. */
  readonly precision: number | null;
  /** Fraction of this class's images that are predicted to be of it, 0–1; null if it has none. */
  readonly recall: number | null;
  /** Harmonic mean of both: 2 · right / (images + predicted), which is 0 where a class with images is never predicted. */
  readonly f1: number;
}

/** Scores that count each class once, however many images it has. */
export interface ClassScores {
  /** Mean recall of the classes with images, 0–1. */
  readonly balancedAccuracy: number;
  /** Mean F1 of the classes that are the label or the prediction of some image, 0–1. */
  readonly macroF1: number;
  /** The classes that are the label or the prediction of some image, by index. */
  readonly perClass: readonly ClassScore[];
}

/** Sums up the pairs that occur; there must be at least one. */
export function classScores(confusion: readonly ConfusedPair[]): ClassScores {
  const counts = new Map<number, { images: number; predicted: number; right: number }>();
  const countOf = (index: number) => {
    const known = counts.get(index);
    if (known) return known;
    const count = { images: 0, predicted: 0, right: 0 };
    counts.set(index, count);
    return count;
  };
  for (const [label, predicted, images] of confusion) {
    countOf(label).images += images;
    countOf(predicted).predicted += images;
    if (label === predicted) countOf(label).right += images;
  }
  const perClass = [...counts]
    .sort(([a], [b]) => a - b)
    .map(
      ([index, { images, predicted, right }]): ClassScore => ({
        class: index,
        images,
        predicted,
        precision: predicted === 0 ? null : right / predicted,
        recall: images === 0 ? null : right / images,
        f1: (2 * right) / (images + predicted),
      }),
    );
  return {
    balancedAccuracy: mean(perClass.flatMap(({ recall }) => recall ?? [])),
    macroF1: mean(perClass.map(({ f1 }) => f1)),
    perClass,
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The classes that are told worst, by F1 and then by number of images; at most `count`. */
export const worstClasses = (perClass: readonly ClassScore[], count: number): ClassScore[] =>
  [...perClass].sort((a, b) => a.f1 - b.f1 || b.images - a.images || a.class - b.class).slice(0, count);

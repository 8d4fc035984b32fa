/** How much each class counts in the loss. */
import type { DataSummary } from '../../data/data-report.ts';
import { UsageError } from '../../errors.ts';
import { inRange, type Option, type OptionWords } from '../../option.ts';

/** Weights that the data do not fit. */
export class ClassWeightsError extends UsageError {
  override name = 'ClassWeightsError';
}

/** No weights, those by number of images, or a weight for each label. */
export type ClassWeights = 'none' | 'balanced' | Readonly<Record<string, number>>;

/** With a weight of 0 a batch of one class would have no loss; beyond the ends one class would be all that counts. */
const range = { atLeast: 1e-6, atMost: 1e6 };

const isTable = (value: unknown): value is Readonly<Record<string, number>> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.keys(value).length > 0 &&
  Object.values(value).every((weight) => inRange(weight, range));

/** The value itself; a file of weights is read before it is one. */
export const classWeightsOption = (words: OptionWords): Option<ClassWeights> => ({
  ...words,
  control: { kind: 'text' },
  expected: "'none', 'balanced', or an object from labels to weights from 0.000001 to 1000000",
  written: 'none, balanced, or a file of labels and weights',
  accepts: (value): value is ClassWeights => value === 'none' || value === 'balanced' || isTable(value),
  parse: (text) => text,
  format: (value) => (typeof value === 'string' ? value : JSON.stringify(value)),
});

type Counts = Pick<DataSummary, 'name' | 'images' | 'perClass'>;

/**
 * The weight of each class, in the order of the classes; undefined for none.
 * @throws ClassWeightsError for labels that are missing or that the data lack, and for balanced weights of a class without images.
 */
export function weightsOf(
  chosen: ClassWeights,
  { name, images, perClass }: Counts,
): Float32Array | undefined {
  if (chosen === 'none') return undefined;
  if (perClass.length === 0)
    throw new ClassWeightsError(
      `class weights: how many images of each class ${name} has is not known; leave |IMAGES out of --data, so that they are counted`,
    );
  if (chosen === 'balanced') {
    const empty = perClass.find(([, count]) => count === 0);
    if (empty)
      throw new ClassWeightsError(
        `class weights: ${name} has no images of '${empty[0]}', whose balanced weight would be infinite; expected images of every class, or a file of weights`,
      );
    return Float32Array.from(perClass, ([, count]) => images / (perClass.length * count));
  }
  const labels = perClass.map(([label]) => label);
  const missing = labels.filter((label) => !Object.hasOwn(chosen, label));
  const unknown = Object.keys(chosen).filter((label) => !labels.includes(label));
  const [wrong, what] = missing.length > 0 ? [missing, 'no weight for'] : [unknown, 'a weight for'];
  if (wrong.length > 0)
    throw new ClassWeightsError(
      `class weights: ${what} '${wrong[0]}'${wrong.length > 1 ? ` and ${wrong.length - 1} more` : ''}; expected one for each of the ${labels.length} classes of ${name}: ${labels.slice(0, 5).join(', ')}${labels.length > 5 ? ', …' : ''}`,
    );
  return Float32Array.from(labels, (label) => chosen[label] as number);
}

/** From here on the rarer class hardly counts, and is worth a line. */
const unequal = 2;

/** What is done about unequal classes, or could be, in lines to be printed. */
export function describeBalance(
  counts: Counts,
  {
    classWeights,
    sampling,
  }: { readonly classWeights: ClassWeights; readonly sampling: 'shuffle' | 'balanced' },
): string[] {
  const present = counts.perClass.filter(([, images]) => images > 0).sort((a, b) => a[1] - b[1]);
  const [fewest, most] = [present[0], present.at(-1)];
  if (!fewest || !most || present.length < 2) return [];
  const ratio = most[1] / fewest[1];
  const lines: string[] = [];
  const weights = weightsOf(classWeights, counts);
  if (weights) {
    const ordered = [...weights].map((weight, index) => [weight, index] as const).sort((a, b) => a[0] - b[0]);
    const shown = ([weight, index]: readonly [number, number]) =>
      `${Number(weight.toPrecision(3))} (${counts.perClass[index]?.[0]})`;
    const [least, greatest] = [ordered[0], ordered.at(-1)];
    const kind = typeof classWeights === 'string' ? classWeights : 'as given';
    if (least && greatest) lines.push(`class weights: ${kind}, ${shown(least)} to ${shown(greatest)}`);
  }
  if (sampling === 'balanced') {
    const draws = counts.images / present.length;
    const times = (draws / fewest[1]).toFixed(1);
    const part = Math.min(100, (100 * draws) / most[1]).toFixed(0);
    lines.push(
      `sampling: balanced, each class about ${Math.round(draws)} times an epoch: an image of '${fewest[0]}' ${times} times, ${part}% of those of '${most[0]}'`,
    );
  }
  if (ratio === 1 && (classWeights === 'balanced' || sampling === 'balanced'))
    lines.push('classes have equally many images: balancing them changes nothing');
  if (ratio >= unequal && lines.length === 0)
    lines.push(
      `classes are unequal, ${Number(ratio.toPrecision(2))} to 1 ('${most[0]}' to '${fewest[0]}'): --class-weights balanced or --sampling balanced lets each count alike; look at balanced accuracy beside the error`,
    );
  return lines;
}

/** Which output of a model belongs to each class of a data set. */
import { InceptionError } from '../errors.ts';

/** Data and model do not speak of the same classes. */
export class ClassesError extends InceptionError {
  override name = 'ClassesError';
}

interface Labelled {
  readonly classes: readonly string[];
  /** Other names of the classes, as ImageNet's synsets. */
  readonly classIds?: readonly string[];
}

/**
 * For each class of the data the model's output: by name, by identifier, or, where the model's labels are only numbers
 * or as many, by order.
 * @throws ClassesError naming the classes that the model does not have.
 */
export function matchClasses(
  data: readonly string[],
  { classes, classIds }: Labelled,
  names: { data: string; model: string },
): number[] {
  for (const own of [classes, classIds ?? []]) {
    const places = new Map(own.map((name, index) => [name, index]));
    if (data.every((name) => places.has(name))) return data.map((name) => places.get(name) as number);
  }
  const numbered = classes.every((name, index) => name === `class ${index}`);
  if (numbered && data.length === classes.length) return data.map((_, index) => index);
  if (data.length !== classes.length)
    throw new ClassesError(`${names.data} has ${data.length} classes, ${names.model} has ${classes.length}`);
  const known = new Set([...classes, ...(classIds ?? [])]);
  const strange = data.filter((name) => !known.has(name));
  throw new ClassesError(
    `${names.model} does not know ${strange.length} of the ${data.length} classes of ${names.data}: ${strange.slice(0, 5).join(', ')}${strange.length > 5 ? ', …' : ''}; it has ${classes.slice(0, 5).join(', ')}, …`,
  );
}

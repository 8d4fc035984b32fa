/** Maps the classes of a data set to the outputs of a model. */
import { InceptionError } from '../errors.ts';

/** Data set and model have different classes. */
export class ClassesError extends InceptionError {
  override name = 'ClassesError';
}

interface Labelled {
  readonly classes: readonly string[];
  /** Identifiers of the classes, such as ImageNet's synsets. */
  readonly classIds?: readonly string[];
}

/**
 * The model's output for each class of the data: matched by name, by identifier, or, if the model's labels are generic
 * (`class 0`, …) and equally many, by order.
 * @throws ClassesError naming the classes that the model lacks.
 */
export function matchClasses(
  data: readonly string[],
  { classes, classIds }: Labelled,
  names: { data: string; model: string },
): number[] {
  for (const labels of [classes, classIds ?? []]) {
    const outputs = new Map(labels.map((name, index) => [name, index]));
    if (data.every((name) => outputs.has(name))) return data.map((name) => outputs.get(name) as number);
  }
  const numbered = classes.every((name, index) => name === `class ${index}`);
  if (numbered && data.length === classes.length) return data.map((_, index) => index);
  if (data.length !== classes.length)
    throw new ClassesError(`${names.data} has ${data.length} classes, ${names.model} has ${classes.length}`);
  const available = new Set([...classes, ...(classIds ?? [])]);
  const missing = data.filter((name) => !available.has(name));
  throw new ClassesError(
    `${names.model} lacks ${missing.length} of the ${data.length} classes of ${names.data}: ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', …' : ''}; it has ${classes.slice(0, 5).join(', ')}, …`,
  );
}

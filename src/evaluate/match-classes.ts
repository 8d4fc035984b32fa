/** Maps the classes of a data set to the outputs of a model. */
import { InceptionError } from '../errors.ts';
import { background } from '../model/imagenet-labels.ts';

/** Data set and model have different classes. */
export class ClassesError extends InceptionError {
  override name = 'ClassesError';
}

export interface Labelled {
  readonly classes: readonly string[];
  /** Identifiers of the classes, such as ImageNet's synsets. */
  readonly classIds?: readonly string[];
}

export interface MatchedClasses {
  /** The model's output for each class of the data. */
  readonly outputs: readonly number[];
  /** How they were matched, in one line, where it was not by name or identifier. */
  readonly notice?: string;
}

interface Names {
  readonly data: string;
  readonly model: string;
}

/**
 * The model's output for each class of the data: by name, by identifier, by number where all classes of the data are numbers,
 * or by order where the model has no labels of its own (`class 0`, …) and equally many outputs.
 * @throws ClassesError naming the classes that the model lacks, or that are the label of several outputs.
 */
export function matchClasses(data: Labelled, model: Labelled, names: Names): MatchedClasses {
  if (data.classes.join('\n') === model.classes.join('\n'))
    return { outputs: data.classes.map((_, index) => index) };
  if (data.classes.length === 0) return { outputs: [] };
  const byName = labelledLike(data.classes, model, names) ?? labelledLike(data.classIds ?? [], model, names);
  if (byName) return { outputs: byName };
  if (data.classes.every((name) => /^\d{1,9}$/.test(name))) return byNumber(data.classes, model, names);
  if (!hasLabels(model) && data.classes.length === model.classes.length) return byOrder(data.classes, names);
  throw mismatch(data.classes, model, names);
}

/** Whether the labels are more than `class 0`, `class 1`, …, which stand for none. */
export const hasLabels = ({ classes }: Labelled): boolean =>
  classes.some((name, index) => name !== `class ${index}`);

/** Undefined unless the model has all of the names, either as labels or as identifiers. */
function labelledLike(
  wanted: readonly string[],
  { classes, classIds = [] }: Labelled,
  { model }: Names,
): number[] | undefined {
  if (wanted.length === 0) return undefined;
  let ambiguous: ClassesError | undefined;
  for (const labels of [classIds, classes]) {
    const outputs = new Map<string, number[]>();
    labels.forEach((name, index) => {
      const same = outputs.get(name);
      if (same) same.push(index);
      else outputs.set(name, [index]);
    });
    const found = wanted.map((name) => outputs.get(name) ?? []);
    if (found.some((each) => each.length === 0)) continue;
    const twice = found.findIndex((each) => each.length > 1);
    if (twice < 0) return found.map(([output]) => output as number);
    ambiguous = new ClassesError(
      `${model}: '${wanted[twice]}' is the label of ${found[twice]?.length} outputs (${found[twice]?.join(', ')}); name the data's classes by ${classIds.length > 0 ? `identifier (${found[twice]?.map((output) => classIds[output]).join(', ')}) or by ` : ''}the number of the output`,
    );
  }
  if (ambiguous) throw ambiguous;
  return undefined;
}

/** A number is the place of an output, as in Caffe's val.txt and in the folders of ImageNet-V2. */
function byNumber(data: readonly string[], { classes }: Labelled, names: Names): MatchedClasses {
  const outputs = data.map(Number);
  const tooLarge = outputs.findIndex((output) => output >= classes.length);
  if (tooLarge >= 0)
    throw new ClassesError(
      `${names.data} has a class '${data[tooLarge]}', which is no output of ${names.model}: it has outputs 0 to ${classes.length - 1}`,
    );
  const seen = new Map<number, string>();
  for (const [index, output] of outputs.entries()) {
    const name = data[index] as string;
    const other = seen.get(output);
    if (other !== undefined)
      throw new ClassesError(`${names.data}: its classes '${other}' and '${name}' are the same number`);
    seen.set(output, name);
  }
  if (seen.has(0) && classes[0] === background)
    throw new ClassesError(
      `${names.data} has a class '0', but output 0 of ${names.model} is the background: import the model with --label-offset 1, or name the classes by synset`,
    );
  const [last = 0] = outputs.slice(-1);
  return {
    outputs,
    notice: `${names.data}: its classes are numbers, taken as outputs of ${names.model} (${data.at(-1)} is '${classes[last]}')`,
  };
}

function byOrder(data: readonly string[], names: Names): MatchedClasses {
  const shown = data.slice(0, 3).map((name, index) => `${index} is '${name}'`);
  return {
    outputs: data.map((_, index) => index),
    notice: `${names.model} has no labels; its ${data.length} outputs are taken for the classes of ${names.data} in their order (${shown.join(', ')}${data.length > 3 ? ', …' : ''})`,
  };
}

function mismatch(data: readonly string[], { classes, classIds }: Labelled, names: Names): ClassesError {
  const available = new Set([...classes, ...(classIds ?? [])]);
  const missing = data.filter((name) => !available.has(name));
  return new ClassesError(
    `${names.model} lacks ${missing.length} of the ${data.length} classes of ${names.data}: ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', …' : ''}; it has ${classes.length}: ${classes.slice(0, 5).join(', ')}${classes.length > 5 ? ', …' : ''}`,
  );
}

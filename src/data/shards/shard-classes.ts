/** The classes of labels as they stand in shards: numbers, with names from a file beside them or without, or names. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { quoted } from '../../printable.ts';
import { listed } from '../align-classes.ts';
import { type ModelLabels, readModelLabels } from '../labels/model-labels.ts';
import { ShardError } from './shard-error.ts';

/** Files of class names beside shards, in the order in which they are looked for: one name a line, or as JSON. */
export const classFiles = ['classes.txt', 'classes.json'] as const;

export interface ClassNames extends ModelLabels {
  readonly path: string;
}

/** The names in the first of the folders that has a file of them. @throws DataError for a file that is none */
export async function readClassNames(folders: readonly string[]): Promise<ClassNames | undefined> {
  for (const folder of folders)
    for (const name of classFiles) {
      const path = join(folder, name);
      if (await stat(path).catch(() => undefined)) return { path, ...(await readModelLabels(path)) };
    }
  return undefined;
}

export interface ShardClasses {
  readonly classes: readonly string[];
  /** The class of a label. */
  readonly classOf: ReadonlyMap<string, number>;
  readonly decisions: readonly string[];
}

/** A number beyond is not a class, but a mistake. */
const maxClasses = 100_000;

/**
 * The classes of all labels in use. `exampleOf` names an image with a label, for messages.
 * @throws ShardError for labels that are no classes together, or that the file of names does not have
 */
export function classesOf(
  labels: readonly string[],
  {
    source,
    names,
    exampleOf,
  }: { source: string; names: ClassNames | undefined; exampleOf: (label: string) => string },
): ShardClasses {
  const numbers = labels.filter((label) => /^\d+$/.test(label));
  const areNumbers = numbers.length === labels.length;
  const fail = (label: string, problem: string) =>
    new ShardError(`${source}: the label of ${exampleOf(label)} is ${quoted(label)}, ${problem}`);
  if (names) {
    const { path, classes, classIds = [] } = names;
    const classOf = new Map<string, number>();
    for (const [at, id] of classIds.entries()) classOf.set(id, at);
    for (const [at, name] of classes.entries()) classOf.set(name, at);
    if (areNumbers && !numbers.every((label) => classOf.has(label))) {
      const beyond = numbers.find((label) => Number(label) >= classes.length);
      if (beyond !== undefined)
        throw fail(
          beyond,
          `but ${path} has ${classes.length} names, for the labels 0 to ${classes.length - 1}`,
        );
      return {
        classes,
        classOf: new Map(numbers.map((label) => [label, Number(label)])),
        decisions: [`${source}: class names from ${path}`],
      };
    }
    const unknown = labels.find((label) => !classOf.has(label));
    if (unknown !== undefined) throw fail(unknown, `which is none of the ${classes.length} names in ${path}`);
    return { classes, classOf, decisions: [`${source}: the order of the classes is that of ${path}`] };
  }
  if (areNumbers) {
    const largest = Math.max(...numbers.map(Number));
    const beyond = String(largest);
    if (largest >= maxClasses) throw fail(beyond, `expected a number of a class, below ${maxClasses}`);
    const used = new Set(numbers);
    const classes = Array.from({ length: largest + 1 }, (_, number) => String(number));
    const unused = classes.filter((name) => !used.has(name));
    return {
      classes,
      classOf: new Map(classes.map((name, number) => [name, number])),
      decisions: [
        `${source}: there is no ${classFiles[0]} beside the shards, so that the classes are called by their numbers, 0 to ${largest}`,
        ...(unused.length > 0
          ? [`${source}: no image has ${unused.length} of these numbers (${listed(unused)})`]
          : []),
      ],
    };
  }
  const [number] = numbers;
  if (number !== undefined)
    throw fail(
      number,
      `a number, and others are names; expected one or the other, or a ${classFiles[0]} beside the shards that has them all`,
    );
  const classes = [...labels].sort();
  return { classes, classOf: new Map(classes.map((name, at) => [name, at])), decisions: [] };
}

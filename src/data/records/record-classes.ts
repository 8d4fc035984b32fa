/** The classes of labels as numbers: by what the records say of them, else by a file of names beside them, else numbers. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ClassNames, uniqueNames } from '../labels/class-names.ts';
import { readModelLabels } from '../labels/model-labels.ts';
import { RecordError } from './record-error.ts';
import type { LabelNames } from './scan-records.ts';

export interface RecordClasses extends Pick<ClassNames, 'classes'> {
  readonly classIds?: readonly string[];
  readonly classOf: ReadonlyMap<number, number>;
  readonly decisions: readonly string[];
}

/** TF-Slim's file of names: `0:daisy`. */
const namesFile = 'labels.txt';

/** @throws RecordError where files contradict each other, or the file of names */
export async function classesOf(
  found: readonly LabelNames[],
  { source, folders }: { source: string; folders: readonly string[] },
): Promise<RecordClasses> {
  const labels = merged(found, source);
  const numbers = [...labels.keys()].sort((a, b) => a - b);
  const classOf = new Map(numbers.map((label, index) => [label, index]));
  const first = numbers[0] as number;
  const order = `in the order of their labels, ${first} to ${numbers.at(-1)}${first === 1 ? ' (there is no 0, which TF-Slim keeps for the background)' : ''}`;
  const entries = numbers.map((label) => labels.get(label) as LabelNames);
  if (entries.every(({ synset, text }) => synset !== undefined || text !== undefined)) {
    const isBySynset = entries.every(({ synset }) => synset !== undefined);
    const named = uniqueNames(
      entries.map(({ label, synset, text }) => ({
        id: isBySynset ? (synset as string) : String(label),
        name: text,
      })),
    );
    return {
      classes: named.classes,
      ...(isBySynset && { classIds: named.classIds }),
      classOf,
      decisions: [`${source}: classes are named by the records, ${order}`],
    };
  }
  const path = await findNames(folders);
  if (path !== undefined) {
    const { classes, classIds } = await readModelLabels(path);
    const beyond = numbers.find((label) => label >= classes.length);
    if (beyond !== undefined)
      throw new RecordError(
        `${source}: an image has the label ${beyond}, but ${path} has names for 0 to ${classes.length - 1}`,
      );
    const { classes: names } = uniqueNames(
      numbers.map((label) => ({ id: classIds?.[label] ?? String(label), name: classes[label] })),
    );
    return {
      classes: names,
      ...(classIds && { classIds: numbers.map((label) => classIds[label] as string) }),
      classOf,
      decisions: [`${source}: class names from ${path}`],
    };
  }
  return {
    classes: numbers.map(String),
    classOf,
    decisions: [
      `${source}: neither the records nor a ${namesFile} beside them name the classes, so that they are called by their labels, ${order}`,
    ],
  };
}

async function findNames(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, namesFile);
    if (await stat(path).catch(() => undefined)) return path;
  }
  return undefined;
}

/** What all files say of each label. @throws RecordError */
function merged(found: readonly LabelNames[], source: string): ReadonlyMap<number, LabelNames> {
  const labels = new Map<number, LabelNames>();
  for (const { label, synset, text } of found) {
    const before = labels.get(label);
    if (before?.synset !== undefined && synset !== undefined && before.synset !== synset)
      throw new RecordError(
        `${source}: label ${label} is of synset '${before.synset}' in one file and '${synset}' in another`,
      );
    labels.set(label, { label, synset: before?.synset ?? synset, text: before?.text ?? text });
  }
  return labels;
}

/** Which classes compete in an evaluation: all outputs of the models, or only the classes of the data. */
import { relabelled } from '../data/align-classes.ts';
import type { Dataset } from '../data/dataset.ts';
import { UsageError } from '../errors.ts';
import {
  ClassesError,
  hasLabels,
  type Labelled,
  type MatchedClasses,
  matchClasses,
} from './match-classes.ts';

export interface NamedModel extends Labelled {
  readonly source: string;
}

export interface Competition {
  /** The images, labelled by the competing classes; −1 for images without labels. */
  readonly dataset: Dataset;
  /** The classes that compete. */
  readonly competing: Labelled;
  /** For each model, its output for each competing class. */
  readonly outputs: readonly (readonly number[])[];
  /** What was decided, in lines to be printed. */
  readonly notices: readonly string[];
  /** A part of the protocol, if not all outputs compete. */
  readonly restriction: string | undefined;
}

/**
 * By default all outputs compete, in the order of the first model that has labels; the others of an ensemble need the same classes.
 * @throws ClassesError if classes cannot be matched, UsageError if `onlyDataClasses` would change nothing.
 */
export function competingClasses(
  dataset: Dataset,
  models: readonly [NamedModel, ...NamedModel[]],
  { onlyDataClasses = false }: { onlyDataClasses?: boolean } = {},
): Competition {
  const reference = models.find(hasLabels) ?? models[0];
  const matched = matchClasses(dataset, reference, { data: dataset.name, model: reference.source });
  const [ofData, ofModel] = [dataset.classes.length, reference.classes.length];
  if (onlyDataClasses) {
    if (models.every(({ classes }) => classes.length === ofData))
      throw new UsageError(
        `--only-data-classes: ${dataset.name} has all ${ofData} classes of ${reference.source}; omit it`,
      );
    const members = models.map((model) => dataOutputs(dataset, model, { reference, matched }));
    const chosen = (labels: readonly string[]) => matched.outputs.map((output) => labels[output] as string);
    const { classes, classIds } = reference;
    return {
      dataset: relabelled(dataset, {
        classes: chosen(classes),
        outputs: matched.outputs.map((_, index) => index),
      }),
      competing: { classes: chosen(classes), ...(classIds && { classIds: chosen(classIds) }) },
      outputs: members.map(({ outputs }) => outputs),
      notices: noticesOf([matched, ...members]),
      restriction: `only the data's ${ofData} of ${ofModel} classes compete (--only-data-classes)`,
    };
  }
  const members = models.map((model) => sameClasses(reference, model));
  const missing = `${dataset.name} has ${ofData} of the ${ofModel} classes of ${reference.source}; all ${ofModel} compete (--only-data-classes lets only the data's)`;
  return {
    dataset: relabelled(dataset, { classes: reference.classes, outputs: matched.outputs }),
    competing: reference,
    outputs: members.map(({ outputs }) => outputs),
    notices: [...noticesOf([matched, ...members]), ...(ofData > 0 && ofData < ofModel ? [missing] : [])],
    restriction: undefined,
  };
}

const noticesOf = (matches: readonly MatchedClasses[]): string[] => [
  ...new Set(matches.flatMap(({ notice }) => notice ?? [])),
];

/** A member's output for each class of the data. A member without labels has the order of the reference. */
function dataOutputs(
  dataset: Dataset,
  member: NamedModel,
  { reference, matched }: { reference: NamedModel; matched: MatchedClasses },
): MatchedClasses {
  if (member === reference) return matched;
  if (hasLabels(member)) return matchClasses(dataset, member, { data: dataset.name, model: member.source });
  const { outputs, ...notice } = sameClasses(reference, member);
  return { outputs: matched.outputs.map((output) => outputs[output] as number), ...notice };
}

/** Another member's output for each output of the reference. */
function sameClasses(reference: NamedModel, member: NamedModel): MatchedClasses {
  const [expected, received] = [reference.classes.length, member.classes.length];
  if (expected !== received)
    throw new ClassesError(
      `${reference.source} has ${expected} classes and ${member.source} has ${received}: an ensemble needs the same; --only-data-classes lets only the data's compete`,
    );
  return matchClasses(reference, member, { data: reference.source, model: member.source });
}

/** The splits of a data set that a network is trained on. */
import { UsageError } from '../../errors.ts';
import { describeRange, inRange } from '../../option.ts';
import { listed } from '../align-classes.ts';
import { withDecisions, withReport } from '../data-report.ts';
import type { Dataset } from '../dataset.ts';
import { relativePath } from '../relative-path.ts';
import { selection } from '../selection.ts';
import { findSource } from '../sources/find-source.ts';
import { trainingPart } from '../sources/source.ts';
import { chooseValidation } from './choose-validation.ts';
import { type Fingerprint, firstIdentical } from './identical-files.ts';

/**
 * Where validation images come from: the data set's own `folder`, or that fraction of each class's training images; 0 is none.
 */
export type ValidationSource = 'folder' | number;

/** The splits of a data set. */
export interface Splits {
  readonly train: Dataset;
  /** Evaluated during training: chooses the model. */
  readonly validation: Dataset | undefined;
  /** Looked at once, at the end. */
  readonly test: Dataset | undefined;
  readonly validationFrom: ValidationSource;
}

export const defaultValidation = 0.2;

/** What the fraction may be. */
export const validationRange = { atLeast: 0, below: 1 } as const;

/** How a data set without validation images of its own is split. */
export interface SplitOptions {
  /** The fraction of each class's training images that become validation images. Default 0.2; 0 for none. */
  readonly validation?: number | undefined;
  /** Whether training images may be a stream: one that a file names may run a command, so that only who trains says so. Default false. */
  readonly mayStream?: boolean;
  /** Told before something takes long that is done once: all of a stream is read. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/**
 * Opens `fashion-mnist` or a folder of class folders (`ROOT/CLASS/IMAGE`, or `ROOT/train/CLASS/IMAGE` beside `val` and `test`) for
 * training. Without a folder `val`, validation images are chosen among those of training by a hash of their paths: the same
 * at every call, wherever the folder is, and when images are added. Identical files are on one side.
 * @throws DataError saying what was missing; UsageError for a `validation` that is no such fraction, or where there is a folder `val`.
 */
export async function openSplits(
  source: string,
  { validation, mayStream = false, onNotice }: SplitOptions = {},
): Promise<Splits> {
  const fraction = validation ?? defaultValidation;
  if (!inRange(fraction, validationRange))
    throw new UsageError(
      `option 'validation': expected ${describeRange(validationRange)}; received ${JSON.stringify(fraction)}`,
    );
  const found = await findSource(source);
  const { splits } = found;
  const opened = await found.open(trainingPart(found), { fewestClasses: 2, mayStream, onNotice });
  const train = withReport(opened, found.report);
  const test = splits.includes('test') ? await found.open('test', { fewestClasses: 1 }) : undefined;
  if (opened.stream && !splits.includes('validation')) return { ...withoutChosen(train, validation), test };
  if (!splits.includes('validation'))
    return { ...(await divide(train, { fraction, fingerprints: found.fingerprints(train) })), test };
  if (validation !== undefined)
    throw new UsageError(
      `option 'validation': has no effect: the validation images of ${source} are those of ${found.nameOf('validation')}`,
    );
  const chosen = await found.open('validation', { fewestClasses: 1 });
  return { train, validation: chosen, test, validationFrom: 'folder' };
}

/** Which images of a stream are which is known when they have been read. @throws UsageError */
function withoutChosen(train: Dataset, fraction: number | undefined): Omit<Splits, 'test'> {
  if (fraction !== undefined && fraction !== 0)
    throw new UsageError(
      `option 'validation': no images of ${train.name} can be kept for validation, since it is a stream; expected shards of their own, val=SHARDS`,
    );
  const decision = `${train.name}: is a stream, of which no images are kept for validation; val=SHARDS names some`;
  return {
    train: fraction === 0 ? train : withDecisions(train, [decision]),
    validation: undefined,
    validationFrom: 0,
  };
}

async function divide(
  whole: Dataset,
  { fraction, fingerprints }: { fraction: number; fingerprints: readonly Fingerprint[] },
): Promise<Omit<Splits, 'test'>> {
  if (fraction === 0) return { train: whole, validation: undefined, validationFrom: 0 };
  const copies = await firstIdentical(whole.length, fingerprints);
  const choice = chooseValidation(
    { ...whole, pathOf: (index) => relativePath(whole, index), firstIdentical: copies },
    fraction,
  );
  const named = (name: string, indices: readonly number[]): Dataset => ({
    ...selection(whole, indices),
    name: `${whole.name} (${name})`,
  });
  const decisions = [
    `${whole.name}: has no validation images of its own, so that ${choice.validation.length} of its ${whole.length} images are validation images (about ${fraction} of each class, by a hash of the path)`,
    ...describeCopies(whole, copies),
    ...describeMissing(whole, choice.inTrainingOnly),
  ];
  return {
    train: named('training', choice.train),
    validation: withDecisions(
      { ...named('validation', choice.validation), report: { leftOut: [], decisions: [] } },
      decisions,
    ),
    validationFrom: fraction,
  };
}

function describeCopies({ name, nameOf, label, classes }: Dataset, copies: Uint32Array): string[] {
  const indices = [...copies.keys()].filter((index) => copies[index] !== index);
  const [example] = indices;
  if (example === undefined) return [];
  const differing = indices.filter((index) => label(index) !== label(copies[index] as number));
  const count = indices.length === 1 ? '1 image is a copy' : `${indices.length} images are copies`;
  const lines = [
    `${name}: ${count} of another, byte for byte (${nameOf(example)} of ${nameOf(copies[example] as number)}); copies are on one side`,
  ];
  const [contradiction] = differing;
  if (contradiction !== undefined) {
    const first = copies[contradiction] as number;
    lines.push(
      `${name}: ${differing.length === 1 ? '1 of them has' : `${differing.length} of them have`} another label than the first of its kind (${nameOf(contradiction)}: ${classes[label(contradiction)]}; ${nameOf(first)}: ${classes[label(first)]})`,
    );
  }
  return lines;
}

function describeMissing({ name, classes }: Dataset, missing: readonly string[]): string[] {
  if (missing.length === 0) return [];
  return [
    `${name}: ${missing.length} of its ${classes.length} classes ${missing.length === 1 ? 'has' : 'have'} one image, or copies of one, and ${missing.length === 1 ? 'is' : 'are'} in training only (${listed(missing)})`,
  ];
}

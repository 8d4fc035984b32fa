/** Opens the images of a run, and checks that they are those that it began with. */
import { alignClasses } from '../data/align-classes.ts';
import { DataError } from '../data/data-error.ts';
import type { Dataset } from '../data/dataset.ts';
import { openData } from '../data/open-data.ts';
import { subset } from '../data/selection.ts';
import { absoluteSource } from '../data/sources/absolute-source.ts';
import { findSource } from '../data/sources/find-source.ts';
import { trainingPart } from '../data/sources/source.ts';
import { openSplits, type Splits } from '../data/splits/open-splits.ts';
import { type Configuration, RunError } from './configuration/configuration.ts';
import { differenceOf, filesOf } from './configuration/data-files.ts';
import { rememberedSplits } from './configuration/opened-splits.ts';
import type { RunFolder } from './run/run-folder.ts';

/** The images of a run, within its limits. */
export type RunData = Pick<Splits, 'train' | 'validation' | 'test'>;

interface RunToOpen {
  readonly configuration: Configuration;
  readonly folder: RunFolder;
  readonly resume: boolean;
  readonly onWarning?: ((message: string) => void) | undefined;
}

const moved = 'if the data have moved, add --data with their new folder to --resume';

/** @throws DataError for data that are missing; RunError if they are others than those that the run began with. */
export async function openRunData({
  configuration,
  folder: { path: run },
  resume,
  onWarning,
}: RunToOpen): Promise<RunData> {
  const { files, limitTrain, limitValidation = null, limitTest, classes } = configuration;
  // Runs of earlier versions hold the path as it was typed.
  const data = absoluteSource(configuration.data);
  const opened = await openAsBegun(configuration, data).catch((error) => {
    throw resume && error instanceof DataError ? new DataError(`${error.message}; ${moved}`) : error;
  });
  if (opened.train.classes.join('\n') !== classes.join('\n'))
    throw new RunError(
      `${opened.train.name}: its classes are ${opened.train.classes.join(', ')}; the run has ${classes.join(', ')}`,
    );
  if (resume && !files)
    onWarning?.(
      `${run} is of an earlier version, which did not record its files: whether ${data} is as it was is not known`,
    );
  const limited = (split: 'train' | 'validation' | 'test', limit: number | null): Dataset | undefined => {
    const dataset = opened[split];
    // Until splits had names of their own, the images of evaluations were recorded as those of the test.
    const earlier = configuration.validation === undefined && split === 'validation';
    const began = files?.[earlier ? 'test' : split];
    if (files && !earlier && (began === undefined) !== (dataset === undefined))
      throw new RunError(
        `${data}: has ${dataset ? 'images' : 'no images'} of the ${split} split; ${run} began ${began ? 'with' : 'without'} them`,
      );
    if (!dataset) return undefined;
    const difference = began && differenceOf(began, filesOf(dataset, data));
    if (difference !== undefined)
      throw new RunError(
        `${dataset.name}: ${difference}. ${run} goes on with the files that it began with: put them back, or start a new run`,
      );
    // A split may lack images of some classes.
    const aligned = split === 'train' ? dataset : alignClasses(dataset, configuration);
    return limit === null ? aligned : subset(aligned, limit);
  };
  return {
    train: limited('train', limitTrain) as Dataset,
    validation: limited('validation', configuration.validation === undefined ? limitTest : limitValidation),
    test: limited('test', limitTest),
  };
}

async function openAsBegun(configuration: Configuration, data: string): Promise<RunData> {
  const { validation } = configuration;
  const splits = rememberedSplits(configuration);
  if (splits) return splits;
  if (validation === undefined) return openAsEarlier(data);
  return openSplits(data, { mayStream: true, ...(validation !== 'folder' && { validation }) });
}

/** Earlier versions evaluated on the images of `val`, else on those of `test`, else on those of training, and had no test. */
async function openAsEarlier(source: string): Promise<RunData> {
  const train = await openData(source, 'train');
  const found = await findSource(source);
  const part = (['validation', 'test'] as const).find((split) => found.splits.includes(split));
  const validation = await found.open(part ?? trainingPart(found), { fewestClasses: 2 });
  return { train, validation, test: undefined };
}

/** Which images of a data set a model is scored on, so that it is not on those that it was trained on without a word. */
import { withDecisions } from '../data-report.ts';
import type { Dataset } from '../dataset.ts';
import { openData } from '../open-data.ts';
import { absoluteSource } from '../sources/absolute-source.ts';
import { findSource } from '../sources/find-source.ts';
import { openSplits, type ValidationSource } from './open-splits.ts';

/** What a model says of its training. */
export interface Trained {
  readonly source: string;
  /** The data set, in the form of --data. */
  readonly data?: string;
  readonly validation?: ValidationSource;
}

/**
 * The test images of a data set, else its validation images: those of a folder, or, where the models were trained on this very
 * data set, those that the training kept from them. What was chosen is in the report. Images that a model was trained on are only
 * taken where there are no others, with a warning.
 * @throws DataError
 */
export async function openEvaluationImages(source: string, models: readonly Trained[]): Promise<Dataset> {
  const { splits } = await findSource(source);
  const trained = models.filter(
    ({ data }) => data !== undefined && absoluteSource(data) === absoluteSource(source),
  );
  const [first] = trained;
  if (splits.includes('test') || splits.includes('validation') || !first) return openData(source, 'test');
  const { validation } = trained.find((model) => typeof model.validation === 'number') ?? first;
  const { train, validation: kept } = await openSplits(source, {
    validation: typeof validation === 'number' ? validation : 0,
  });
  if (!kept)
    return withDecisions(train, [
      `warning: ${first.source} was trained on these very images: their error is that of training, and says little about others`,
    ]);
  const others = trained.filter((model) => model.validation !== validation);
  // What is said of the folder as a whole; how it is divided is told here as an evaluation sees it.
  const { report = { leftOut: [], decisions: [] } } = train;
  return withDecisions({ ...kept, report }, [
    `${source}: has neither test nor val, so that ${first.source} is evaluated on the ${kept.length} validation images that its training kept from it (about ${validation} of each class, by a hash of the path)`,
    ...others.map(
      (model) =>
        `warning: ${model.source} was trained on other images of ${source}, among them some of these`,
    ),
  ]);
}

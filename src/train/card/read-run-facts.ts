/** What a run's files say of its model, for its card. Runs of earlier versions lack some of them. */
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { z } from 'zod';
import { describeLeftOut } from '../../data/data-report.ts';
import type { ClassScore } from '../../evaluate/class-scores.ts';
import { runFiles } from '../../model/run-layout.ts';
import type { Configuration } from '../configuration/configuration.ts';
import { modelOf } from '../run/model-choice.ts';
import type { EvaluationRecord, Metrics } from '../run/records.ts';
import { RunFolder } from '../run/run-folder.ts';
import { publicName } from './model-card.ts';
import type { Measurement, RunFacts, SplitCount } from './run-sections.ts';

const leftOut = z.object({ what: z.string(), count: z.number(), examples: z.array(z.string()) });
const summary = z.object({
  images: z.number(),
  perClass: z.array(z.tuple([z.string(), z.number()])),
  leftOut: z.array(leftOut),
  decisions: z.array(z.string()),
});
const dataRecord = z.object({
  train: summary,
  validation: summary.optional(),
  test: summary.optional(),
  skipped: z.array(z.unknown()),
});
type Data = z.infer<typeof dataRecord>;

/** A line of metrics.jsonl that scores a model; earlier versions called every loss that of the test. */
const scoreLine = z.object({
  kind: z.enum(['evaluation', 'test']),
  step: z.number(),
  epoch: z.number(),
  top1Error: z.number(),
  top5Error: z.number(),
  balancedAccuracy: z.number().optional(),
  skipped: z.number().optional(),
  validationLoss: z.number().optional(),
  testLoss: z.number().optional(),
});

/** Reads a run. @throws RunError if the folder is none */
export async function readRunFacts(path: string): Promise<RunFacts> {
  const folder = new RunFolder(path);
  return factsOf(folder, await folder.configuration());
}

/**
 * Reads a run, if the path is one: a folder in an ecosystem's form has a config.json, too, but not a run's.
 * @throws RunError if its metrics cannot be read
 */
export async function runFactsAt(path: string): Promise<RunFacts | undefined> {
  const folder = new RunFolder(path);
  const configuration = await folder.configuration().catch(() => undefined);
  return configuration && factsOf(folder, configuration);
}

async function factsOf(folder: RunFolder, configuration: Configuration): Promise<RunFacts> {
  const { path } = folder;
  const metrics = await folder.metrics();
  const data = dataRecord.safeParse(await readOptional(folder.file(runFiles.data))).data;
  const record = (await readOptional(folder.file(runFiles.evaluation))) as EvaluationRecord | undefined;
  return {
    name: basename(resolve(path)),
    dataName: publicName(configuration.data),
    configuration,
    measured: measured(metrics, { configuration, data, record }),
    counts: data ? counts(data, configuration) : [],
    remarks: remarks(metrics, { configuration, data }),
  };
}

async function readOptional(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The scores of the model that was kept: on the validation images, and on the test images if there are any. */
function measured(
  metrics: readonly Metrics[],
  {
    configuration: { recipe },
    data,
    record,
  }: { configuration: Configuration; data: Data | undefined; record: EvaluationRecord | undefined },
): Measurement[] {
  const kept = scoreLine.safeParse(modelOf(metrics, recipe)).data;
  const lines = metrics.flatMap((line) => scoreLine.safeParse(line).data ?? []);
  const test = lines.findLast(({ kind }) => kind === 'test');
  const last = test ?? kept;
  return [kept, test].flatMap((line) => {
    if (!line) return [];
    // Runs of earlier versions were evaluated on what they call their test images.
    const early = data?.validation === undefined && data?.test !== undefined && test === undefined;
    const split = line.kind === 'test' || early ? 'test' : 'validation';
    const images = data?.[split]?.images;
    // Runs of earlier versions do not record of which images it is: of those scored last.
    const isOfRecord = record?.split === undefined ? line === last : record.split === split;
    const perClass: readonly ClassScore[] | undefined =
      isOfRecord && record?.step === line.step ? record.perClass : undefined;
    const scored = perClass?.reduce((sum, each) => sum + each.images, 0);
    return [
      {
        split,
        images: scored ?? (images === undefined ? undefined : images - (line.skipped ?? 0)),
        epoch: line.epoch,
        top1Error: line.top1Error,
        top5Error: line.top5Error,
        balancedAccuracy: line.balancedAccuracy,
        loss: line.validationLoss ?? line.testLoss,
        perClass,
      },
    ];
  });
}

function counts({ train, validation, test }: Data, configuration: Configuration): SplitCount[] {
  const entries = [
    ['training', train, configuration.limitTrain],
    ['validation', validation, configuration.limitValidation],
    ['test', test, configuration.limitTest],
  ] as const;
  return entries.flatMap(([split, part, limit]) => {
    if (!part) return [];
    const left = describeLeftOut(split, part.leftOut);
    const limited = limit == null ? [] : [`of the ${split} images at most ${limit} were used`];
    const words = [...part.decisions, ...(left === undefined ? [] : [left]), ...limited];
    return [
      { split, images: part.images, perClass: part.perClass.map(([, count]) => count), remarks: words },
    ];
  });
}

function remarks(
  metrics: readonly Metrics[],
  {
    configuration: { recipe, probe, chosenBy },
    data,
  }: { configuration: Configuration; data: Data | undefined },
): string[] {
  const evaluations = metrics.filter(({ kind }) => kind === 'evaluation').length;
  const kept = modelOf(metrics, recipe);
  const reached = metrics.at(-1)?.epoch ?? 0;
  const skipped = data?.skipped.length ?? 0;
  return [
    ...(recipe.keepBest && evaluations > 1 && kept
      ? [
          `The model is that of the best of ${evaluations} evaluations${chosenBy === 'balancedAccuracy' ? ' by balanced accuracy' : ''}, which its validation figures therefore flatter a little`,
        ]
      : []),
    ...(!probe?.isModel && reached < recipe.epochs - 0.01
      ? [`The training ended after ${+reached.toFixed(2)} of ${recipe.epochs} epochs`]
      : []),
    ...(skipped > 0 ? [`${skipped} images could not be used and do not count`] : []),
  ];
}

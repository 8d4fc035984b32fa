/** `inception evaluate`: measures the error of models on labelled images, and prints the protocol. */
import type { Command } from 'commander';
import { openModels, type RunningModel } from '../../classifier/open-models.ts';
import type { RuntimeName } from '../../classifier/runtime.ts';
import { describeReport } from '../../data/data-report.ts';
import type { Dataset } from '../../data/dataset.ts';
import { openLabelledFolder, openUnlabelledFolder } from '../../data/folders/image-folder.ts';
import { readExclusions, readRealLabels } from '../../data/labels/image-lists.ts';
import { isUnlabelled } from '../../data/open-data.ts';
import { subset } from '../../data/selection.ts';
import { openEvaluationImages } from '../../data/splits/evaluation-images.ts';
import type { Group } from '../../distributed/group.ts';
import { GroupError } from '../../distributed/lost-peer.ts';
import { inPortions } from '../../distributed/portions.ts';
import { UsageError } from '../../errors.ts';
import { competingClasses, type NamedModel } from '../../evaluate/competing-classes.ts';
import { openPredictions } from '../../evaluate/predictions-file.ts';
import { acceptedLabels } from '../../evaluate/real-labels.ts';
import { type Prediction, predictions, readPrediction, ScoreError, scoreOf } from '../../evaluate/score.ts';
import { costsOf } from '../../graph/costs.ts';
import { type CropCount, describeViews, type Views } from '../../images/crops.ts';
import { type Preprocessing, standardPreprocessing } from '../../images/preprocess.ts';
import { ModelError } from '../../model/description.ts';
import type { Member } from '../../predict/predict-images.ts';
import { addGroupOptions, inGroup, type Joined } from '../in-group.ts';
import { addInferenceOptions, type InferenceOptions, runtimeOptions } from '../options/engine-options.ts';
import { noNotices, noticesTo, predictingArgument, readCrops } from '../options/model-options.ts';
import {
  addCropOptions,
  addOnnxOptions,
  type CropOptions,
  cropOf,
  isOverridden,
  type OnnxOptions,
  readOnnxOptions,
} from '../options/onnx-options.ts';
import { appendResultsRow, evaluationText, hasTop5 } from '../output/evaluation-report.ts';
import { grouped } from '../output/format.ts';
import { progressOver } from '../output/image-progress.ts';
import { onInterruption } from '../signals.ts';
import { flagOf, wholeNumber } from '../usage.ts';

type Values = InferenceOptions &
  OnnxOptions &
  CropOptions & {
    data?: string;
    labels?: string;
    onlyDataClasses?: boolean;
    batch?: number;
    limit?: number;
    crops: CropCount;
    testFlip?: boolean;
    exclude?: string;
    realLabels?: string;
    predictions?: string;
    resume?: boolean;
    csv?: string;
    confusion?: boolean;
    json?: boolean;
  };

/** Crops per batch. A network of 5,000 classes may take 40 MB for each. */
const batches = { batch: 64, foreignBatch: 4 } as const;

export function addEvaluate(program: Command): void {
  const command = addInferenceOptions(
    program
      .command('evaluate')
      .description('measure the top-1 and top-5 error of a model or an ensemble')
      .argument('<model...>', `${predictingArgument}; several form an ensemble with averaged probabilities`)
      .option(
        '--data <data>',
        "'fashion-mnist', a folder of class folders, shards ('val-{00..06}.tar') or TFRecord files (default: the training data)",
      )
      .option(
        '--labels <file>',
        'true labels for a folder without class folders: lines of file and label (CSV or spaces), JSON, or one label per line in file order',
      )
      .option(
        '--only-data-classes',
        "let only the data's classes compete, for error and loss alike (default: all outputs of the model)",
      )
      .option('--crops <n>', 'crops per image: 1, 10, 12 or 144', readCrops, 1)
      .option('--test-flip', 'average the single crop with its mirror image')
      .option(
        '--batch <n>',
        `crops per batch (default: ${batches.batch}; ${batches.foreignBatch} for .onnx files of other tools, whose memory per image is not known)`,
        wholeNumber('--batch'),
      )
      .option('--limit <n>', 'evaluate at most n images', wholeNumber('--limit'))
      .option('--exclude <file>', "images to skip, by name or number, such as ImageNet's blacklist")
      .option('--real-labels <file>', 'reassessed ImageNet labels (ReaL), as real.json')
      .option('--predictions <file>', 'write the prediction for each image as CSV')
      .option('--resume', 'continue after the rows already in --predictions')
      .option('--csv <file>', "append a row in the format of timm's results files")
      .option('--confusion', 'print the confusion matrix')
      .option('--json', 'print JSON'),
  );
  addOnnxOptions(addCropOptions(addGroupOptions(command), "the model's own"))
    .addHelpText(
      'after',
      `
Examples:
  inception evaluate runs/fashion --data fashion-mnist --confusion
  inception evaluate photos-int8.onnx --data photos
  inception evaluate resnet50.onnx --data imagenet/val --preprocessing imagenet
  inception evaluate runs/a runs/b runs/c runs/d --crops 144
  inception evaluate hub:timm/inception_v4.tf_in1k --data imagenet/val --predictions v4.csv`,
    )
    .action((paths: readonly string[], values: Values) =>
      inGroup(values, (joined) => run(paths, values, joined)),
    );
}

async function run(paths: readonly string[], values: Values, { group, threads }: Joined): Promise<void> {
  const views: Views = { crops: values.crops, flip: values.testFlip ?? false };
  refuseIneffective(values);
  const notices = group.rank === 0 ? noticesTo(process.stderr) : noNotices;
  const overrides = await readOnnxOptions(values, { paths, crop: false });
  const open = await openModels(paths, {
    ...runtimeOptions({ ...values, ...(threads !== undefined && { threads }) }),
    ...notices,
    ...(values.batch === undefined ? batches : { batch: values.batch }),
    overridesOf: (path) => (isOverridden(path, paths) ? overrides : undefined),
  });
  try {
    const models = open.models as readonly [RunningModel, ...RunningModel[]];
    for (const { source, description } of models) {
      if (description.classes.length === 0) throw new ModelError(`${source}: the network has no classifier`);
    }
    const named = models.map(({ source, description: { classes, classIds } }) => ({
      source,
      classes,
      ...(classIds && { classIds }),
    })) as [NamedModel, ...NamedModel[]];
    const data = await openDataset(values, models);
    const aboutData = describeReport(data);
    for (const notice of aboutData) notices.onNotice?.(notice);
    const { dataset, competing, outputs, restriction, ...decided } = competingClasses(data, named, {
      onlyDataClasses: values.onlyDataClasses ?? false,
    });
    for (const notice of decided.notices) notices.onNotice?.(notice);
    const members = models.map((model, index) => ({
      predictor: model.predictor,
      preprocessing: preprocessingOf(model, values),
      outputs: outputs[index] as readonly number[],
    }));
    const protocols = new Set(members.map(({ preprocessing }) => describeViews(preprocessing, views)));
    const description = {
      models: models.map(({ source }) => source),
      networks: models.map(({ description }) => description.network ?? 'unknown'),
      data: dataset.name,
      images: dataset.length,
      protocol: [...protocols, ...(restriction === undefined ? [] : [restriction])].join('; '),
      ...aboutRuntimes(models),
    };
    const measured = await measure(dataset, { members, views, values, description, group });
    if (group.rank > 0) return;
    const { results, broken, excluded, crops, seconds } = measured;
    if (results.length === 0)
      throw new ScoreError(
        `${dataset.name}: nothing to evaluate: of ${grouped(dataset.length)} images ${grouped(broken.length)} could not be decoded and ${grouped(excluded)} are excluded`,
      );
    const labelled = data.classes.length > 0;
    const accepted =
      values.realLabels === undefined
        ? undefined
        : acceptedLabels(await readRealLabels(values.realLabels, dataset), competing);
    const score = labelled ? scoreOf(results, { accepted }) : undefined;
    const speed = { crops, seconds, cropsPerSecond: crops / seconds };
    const { classes } = dataset;
    if (values.csv !== undefined && score)
      await appendResultsRow(values.csv, {
        score,
        classes,
        models: description.models,
        parameters: parametersIn(models),
        preprocessing: (members[0] as Member).preprocessing,
      });
    const withoutRealLabels = score ? results.length - score.count : 0;
    if (values.json) {
      const everything = {
        ...description,
        notices: [...aboutData, ...decided.notices],
        count: results.length,
        ...score,
        ...(score && !hasTop5(classes) && { top5Error: null }),
        ...(score && {
          perClass: score.perClass.map((each) => ({ ...each, name: classes[each.class] })),
        }),
        ...speed,
        broken,
        excluded,
        ...(accepted && { withoutRealLabels }),
        dataClasses: data.classes.length,
        classes,
      };
      process.stdout.write(`${JSON.stringify(everything, null, 2)}\n`);
      return;
    }
    process.stdout.write(
      evaluationText({
        description,
        score,
        classes,
        skipped: {
          'that cannot be decoded': broken.length,
          [`excluded by ${values.exclude}`]: excluded,
          [`without labels in ${values.realLabels}`]: withoutRealLabels,
        },
        predicted: results.length,
        speed,
        confusion: values.confusion ?? false,
        realLabels: accepted !== undefined,
      }),
    );
  } finally {
    notices.end();
    await open.close();
  }
}

/** @throws UsageError for options that would change nothing. */
function refuseIneffective(values: Values): void {
  const { crops, testFlip, resume, predictions, confusion, json, data, labels, crop, protocol } = values;
  if (testFlip && crops > 1)
    throw new UsageError(`--test-flip: has no effect with --crops ${crops}, which include mirror images`);
  if (crops > 1 && (crop !== undefined || protocol !== undefined))
    throw new UsageError(
      `${crop === undefined ? '--protocol' : '--crop'}: has no effect with --crops ${crops}, which cuts its own crops`,
    );
  if (resume && predictions === undefined)
    throw new UsageError('--resume: expected --predictions with the file to continue');
  if (confusion && json) throw new UsageError('--confusion: has no effect with --json, which includes it');
  if (labels !== undefined && data === undefined)
    throw new UsageError('--labels: expected --data with the folder of the images');
}

/** Versions of the runtimes used, and the precisions. */
function aboutRuntimes(models: readonly RunningModel[]): Readonly<Record<string, string>> {
  const runtimes = models.map(({ runtime }) => runtime);
  const versionOf = (name: RuntimeName) => runtimes.find((runtime) => runtime.name === name)?.version;
  const [libtorch, onnxRuntime] = [versionOf('libtorch'), versionOf('ONNX Runtime')];
  return {
    precision: [...new Set(runtimes.map(({ precision }) => precision))].join(', '),
    ...(libtorch !== undefined && { libtorch }),
    ...(onnxRuntime !== undefined && { onnxRuntime }),
  };
}

/** Images with labels, or, if only predictions are wanted, possibly without. */
async function openDataset(
  values: Values,
  models: readonly [RunningModel, ...RunningModel[]],
): Promise<Dataset> {
  const data = values.data ?? dataOf(models[0]);
  const trained = models.map(({ source, description }) => ({ ...description, source }));
  const whole =
    values.labels !== undefined
      ? await openLabelledFolder(data, values.labels)
      : values.predictions !== undefined && (await isUnlabelled(data))
        ? await openUnlabelledFolder(data)
        : await openEvaluationImages(data, trained);
  if (whole.classes.length === 0) {
    const unscored = (['onlyDataClasses', 'realLabels', 'csv', 'confusion'] as const).find(
      (option) => values[option] !== undefined,
    );
    if (unscored)
      throw new UsageError(`${flagOf(unscored)}: ${whole.name} has no labels; give them with --labels FILE`);
  }
  return values.limit === undefined ? whole : subset(whole, values.limit);
}

/** The data that a run was trained on. */
function dataOf({ source, description: { data } }: RunningModel): string {
  if (data !== undefined) return data;
  throw new UsageError(
    `--data: ${source} does not say what it was trained on; expected 'fashion-mnist' or a folder of class folders`,
  );
}

const preprocessingOf = ({ description: { preprocessing } }: RunningModel, values: Values): Preprocessing =>
  standardPreprocessing(preprocessing.size, { ...preprocessing, ...cropOf(values) });

/** Undefined if the network of some model is not known. */
function parametersIn(models: readonly RunningModel[]): number | undefined {
  const graphs = models.flatMap(({ graph }) => graph ?? []);
  if (graphs.length < models.length) return undefined;
  return graphs.reduce((sum, graph) => sum + costsOf(graph).parameters, 0);
}

interface Measured {
  readonly results: readonly Prediction[];
  readonly crops: number;
  readonly seconds: number;
  readonly broken: readonly string[];
  /** Number of images. */
  readonly excluded: number;
}

/** Predicts the images that are neither excluded nor already predicted, and shows progress. */
async function measure(
  dataset: Dataset,
  {
    members,
    views: protocol,
    values,
    description,
    group,
  }: { members: readonly Member[]; views: Views; values: Values; description: object; group: Group },
): Promise<Measured> {
  const excluded =
    values.exclude === undefined ? new Set<number>() : await readExclusions(values.exclude, dataset);
  const isFirst = group.rank === 0;
  const file =
    values.predictions === undefined || !isFirst
      ? undefined
      : await openPredictions(values.predictions, {
          dataset,
          evaluation: { ...description, excluded: excluded.size },
          resume: values.resume ?? false,
        });
  const previous = await group.fromFirst(isFirst ? (file?.previous ?? []) : undefined);
  const known = new Set(previous.map(({ index }) => index));
  const indices = Array.from({ length: dataset.length }, (_, index) => index).filter(
    (index) => !known.has(index) && !excluded.has(index),
  );
  if (known.size > 0 && isFirst)
    process.stderr.write(`${grouped(known.size)} images are already predicted\n`);
  const interruption = onInterruption();
  const broken: string[] = [];
  const results: Prediction[] = [...previous];
  const progress = isFirst ? progressOver(indices.length) : undefined;
  let crops = 0;
  let isInterrupted = false;
  const begin = performance.now();
  const predictOwn = async (own: readonly number[]) => {
    const failed: string[] = [];
    let views = 0;
    const predicted = await predictions(dataset, {
      members,
      views: protocol,
      indices: own,
      signal: interruption.signal,
      onBroken: (_, error) => {
        failed.push(error.message);
        progress?.say(`warning: ${error.message}`);
      },
      onPrediction: (prediction, count) => {
        views += count;
        file?.add(prediction);
        // Others are as fast, and told of at the end of a portion.
        progress?.step(((crops + views * group.size) / (performance.now() - begin)) * 1000);
      },
    });
    return { predicted, failed, views, isInterrupted: interruption.signal.aborted };
  };
  try {
    for await (const parts of inPortions(indices, { group }, predictOwn)) {
      for (const [rank, part] of parts.entries()) {
        results.push(...part.predicted.map(readPrediction));
        broken.push(...part.failed);
        crops += part.views;
        if (rank === group.rank) continue;
        for (const message of part.failed) progress?.say(`warning: ${message}`);
        for (const prediction of part.predicted.map(readPrediction)) {
          file?.add(prediction);
          progress?.step((crops / (performance.now() - begin)) * 1000);
        }
      }
      isInterrupted = parts.some((part) => part.isInterrupted);
      if (isInterrupted) break;
    }
    const seconds = (performance.now() - begin) / 1000;
    interruption.throwIfInterrupted(
      `interrupted after ${results.length - previous.length} of ${indices.length} images${values.predictions === undefined ? '' : `; --resume continues ${values.predictions}`}`,
    );
    if (isInterrupted) throw new GroupError('another process of the group was interrupted');
    results.sort((a, b) => a.index - b.index);
    return { results, crops, seconds, broken, excluded: excluded.size };
  } finally {
    progress?.stop();
    await file?.close();
    interruption.end();
  }
}

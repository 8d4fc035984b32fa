/** `inception evaluate`: measures the error of models on labelled images, and prints the protocol. */
import { appendFile, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import Papa from 'papaparse';
import { openModels, type RunningModel } from '../../classifier/open-models.ts';
import type { RuntimeName } from '../../classifier/runtime.ts';
import type { Dataset } from '../../data/dataset.ts';
import { openLabelledFolder } from '../../data/image-folder.ts';
import { readExclusions, readRealLabels } from '../../data/image-lists.ts';
import { openData, subset } from '../../data/open-data.ts';
import { UsageError } from '../../errors.ts';
import { matchClasses } from '../../evaluate/match-classes.ts';
import { openPredictions } from '../../evaluate/predictions-file.ts';
import { type Prediction, predictions, type Score, scoreOf } from '../../evaluate/score.ts';
import { costsOf } from '../../graph/costs.ts';
import { type CropCount, describeViews, type Views } from '../../images/crops.ts';
import { type Preprocessing, standardPreprocessing } from '../../images/preprocess.ts';
import { ModelError } from '../../model/description.ts';
import { modelKind } from '../../model/model-kind.ts';
import type { Member } from '../../predict/predict-images.ts';
import { addEngineOptions, type EngineOptions, runtimeOptions } from '../options/engine-options.ts';
import { noticesTo, predictingArgument, readCrops } from '../options/model-options.ts';
import {
  addCropOptions,
  addOnnxOptions,
  type CropOptions,
  cropOf,
  type OnnxOptions,
  readOnnxOptions,
} from '../options/onnx-options.ts';
import { confusionTable } from '../output/confusion-table.ts';
import { duration, grouped, percent } from '../output/format.ts';
import { openBar } from '../output/progress-bar.ts';
import { InterruptedError, wholeNumber } from '../usage.ts';

type Values = EngineOptions &
  OnnxOptions &
  CropOptions & {
    data?: string;
    labels?: string;
    batch: number;
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

export function addEvaluate(program: Command): void {
  const command = addEngineOptions(
    program
      .command('evaluate')
      .description('measure the top-1 and top-5 error of a model or an ensemble')
      .argument('<model...>', `${predictingArgument}; several form an ensemble with averaged probabilities`)
      .option('--data <data>', "'fashion-mnist' or a folder of class folders (default: the training data)")
      .option(
        '--labels <file>',
        'true labels, one per line in file order, for a folder without class folders',
      )
      .option('--crops <n>', 'crops per image: 1, 10, 12 or 144', readCrops, 1)
      .option('--test-flip', 'average the single crop with its mirror image')
      .option('--batch <n>', 'crops per batch', wholeNumber('--batch'), 64)
      .option('--limit <n>', 'evaluate at most n images', wholeNumber('--limit'))
      .option('--exclude <file>', "images to skip, by name or number, such as ImageNet's blacklist")
      .option('--real-labels <file>', 'reassessed ImageNet labels (ReaL), as real.json')
      .option('--predictions <file>', 'write the prediction for each image as CSV')
      .option('--resume', 'continue after the rows already in --predictions')
      .option('--csv <file>', "append a row in the format of timm's results files")
      .option('--confusion', 'print the confusion matrix')
      .option('--json', 'print JSON'),
  );
  addOnnxOptions(addCropOptions(command, "the model's own"))
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
    .action(run);
}

async function run(paths: readonly string[], values: Values): Promise<void> {
  const views: Views = { crops: values.crops, flip: values.testFlip ?? false };
  if (views.flip && views.crops > 1)
    throw new UsageError(
      `--test-flip: has no effect with --crops ${views.crops}, which include mirror images`,
    );
  if (values.resume && values.predictions === undefined)
    throw new UsageError('--resume: expected --predictions with the file to continue');
  const notices = noticesTo(process.stderr);
  const overrides = await readOnnxOptions(values, { paths, crop: false });
  const open = await openModels(paths, {
    ...runtimeOptions(values),
    ...notices,
    batch: values.batch,
    overridesOf: (path) => (modelKind(path) === 'onnx' ? overrides : undefined),
  });
  try {
    const { models } = open;
    const [first] = models as readonly [RunningModel, ...RunningModel[]];
    const dataset = await openDataset(values, first);
    const members = models.map((model) => memberFor(model, dataset, values));
    const protocols = members.map(({ preprocessing }) => describeViews(preprocessing, views));
    const description = {
      models: models.map(({ source }) => source),
      networks: models.map(({ description }) => description.network ?? 'unknown'),
      data: dataset.name,
      images: dataset.length,
      protocol: [...new Set(protocols)].join('; '),
      ...aboutRuntimes(models),
    };
    const measured = await measure(dataset, { members, views, values, description });
    const accepted =
      values.realLabels === undefined ? undefined : await readRealLabels(values.realLabels, dataset);
    const result = scoreOf(measured.results, { classes: dataset.classes.length, accepted });
    const speed = {
      crops: measured.crops,
      seconds: measured.seconds,
      cropsPerSecond: measured.crops / measured.seconds,
    };
    if (values.csv !== undefined) await appendRow(values.csv, { result, models, members });
    const { broken } = measured;
    if (values.json) {
      const everything = { ...description, ...result, ...speed, broken, classes: dataset.classes };
      process.stdout.write(`${JSON.stringify(everything, null, 2)}\n`);
      return;
    }
    process.stdout.write(
      text(result, { description, speed, classes: dataset.classes, confusion: values.confusion ?? false }),
    );
    if (broken.length > 0)
      process.stderr.write(`${broken.length} images could not be decoded and were skipped\n`);
  } finally {
    notices.end();
    await open.close();
  }
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

async function openDataset(values: Values, model: RunningModel): Promise<Dataset> {
  const data = values.data ?? dataOf(model);
  const whole =
    values.labels === undefined
      ? await openData(data, 'test')
      : await openLabelledFolder(data, values.labels);
  return values.limit === undefined ? whole : subset(whole, values.limit);
}

/** The data that a run was trained on. */
function dataOf({ source, description: { data } }: RunningModel): string {
  if (data !== undefined) return data;
  throw new UsageError(
    `--data: ${source} does not say what it was trained on; expected 'fashion-mnist' or a folder of class folders`,
  );
}

function memberFor(
  { predictor, description, source }: RunningModel,
  dataset: Dataset,
  values: Values,
): Member {
  if (description.classes.length === 0) throw new ModelError(`${source}: the network has no classifier`);
  const preprocessing: Preprocessing = standardPreprocessing(description.preprocessing.size, {
    ...description.preprocessing,
    ...cropOf(values),
  });
  const outputs = matchClasses(dataset.classes, description, { data: dataset.name, model: source });
  return { predictor, preprocessing, outputs };
}

interface Measured {
  readonly results: readonly Prediction[];
  readonly crops: number;
  readonly seconds: number;
  readonly broken: readonly string[];
}

/** Predicts the images that are neither excluded nor already predicted, and shows progress. */
async function measure(
  dataset: Dataset,
  {
    members,
    views,
    values,
    description,
  }: { members: readonly Member[]; views: Views; values: Values; description: object },
): Promise<Measured> {
  const excluded =
    values.exclude === undefined ? new Set<number>() : await readExclusions(values.exclude, dataset);
  const file =
    values.predictions === undefined
      ? undefined
      : await openPredictions(values.predictions, {
          dataset,
          classes: dataset.classes,
          evaluation: { ...description, excluded: excluded.size },
          resume: values.resume ?? false,
        });
  const known = new Set(file?.previous.map(({ index }) => index));
  const indices = Array.from({ length: dataset.length }, (_, index) => index).filter(
    (index) => !known.has(index) && !excluded.has(index),
  );
  if (known.size > 0) process.stderr.write(`${grouped(known.size)} images are already predicted\n`);
  const interruption = new AbortController();
  let stoppedBy: 'SIGINT' | 'SIGTERM' | undefined;
  const stop = (signal: NodeJS.Signals) => {
    stoppedBy = signal as 'SIGINT' | 'SIGTERM';
    interruption.abort();
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const broken: string[] = [];
  const progress = progressOver(indices.length);
  let crops = 0;
  const begin = performance.now();
  try {
    const results = await predictions(dataset, {
      members,
      views,
      indices,
      signal: interruption.signal,
      onBroken: (_, error) => {
        broken.push(error.message);
        progress.say(`warning: ${error.message}`);
      },
      onPrediction: (prediction, count) => {
        crops += count;
        file?.add(prediction);
        progress.step(crops / ((performance.now() - begin) / 1000));
      },
    });
    const seconds = (performance.now() - begin) / 1000;
    if (stoppedBy !== undefined) {
      throw new InterruptedError(
        stoppedBy,
        `interrupted after ${results.length} of ${indices.length} images${file ? `; --resume continues ${values.predictions}` : ''}`,
      );
    }
    return { results: [...(file?.previous ?? []), ...results], crops, seconds, broken };
  } finally {
    progress.stop();
    await file?.close();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/** A progress bar on a terminal, otherwise a line every ten seconds. */
function progressOver(total: number, output: NodeJS.WriteStream = process.stderr) {
  let done = 0;
  let last = performance.now();
  const bar = openBar(output, '{bar} {value}/{total} images  {speed} crops/s  {left} left');
  const begin = performance.now();
  bar?.start(total, 0, { speed: '–', left: '–' });
  return {
    say: (line: string) => {
      if (bar) output.write('\r\u001b[K');
      output.write(`${line}\n`);
    },
    step: (cropsPerSecond: number) => {
      done++;
      const left = duration(((performance.now() - begin) / 1000 / done) * (total - done));
      bar?.update(done, { speed: cropsPerSecond.toFixed(0), left });
      if (bar || performance.now() - last < 10_000) return;
      last = performance.now();
      output.write(`${done}/${total} images  ${cropsPerSecond.toFixed(0)} crops/s  ${left} left\n`);
    },
    stop: () => bar?.stop(),
  };
}

function text(
  result: Score,
  {
    description,
    speed,
    classes,
    confusion,
  }: {
    description: Readonly<Record<string, string | number | readonly string[]>>;
    speed: { crops: number; cropsPerSecond: number };
    classes: readonly string[];
    confusion: boolean;
  },
): string {
  const { models, networks, images: _, ...rest } = description;
  const several = Array.isArray(models) && models.length > 1;
  const shown = {
    [several ? 'ensemble' : 'model']: models,
    [several ? 'networks' : 'network']: networks,
    ...rest,
  };
  const lines = Object.entries(shown).map(
    ([key, value]) => `${key.padEnd(9)} ${Array.isArray(value) ? value.join(', ') : value}`,
  );
  if (confusion) lines.push('', confusionTable(result.confusion, classes));
  const { count, loss, top1Error, top5Error } = result;
  const { crops, cropsPerSecond } = speed;
  lines.push(
    '',
    `loss ${loss.toFixed(4)} nats, ${grouped(count)} images, ${cropsPerSecond.toFixed(cropsPerSecond < 10 ? 1 : 0)} crops/s (${grouped(crops)})`,
  );
  lines.push(`top-1 error ${percent(top1Error)}, top-5 error ${percent(top5Error)}`);
  return `${lines.join('\n')}\n`;
}

/** Appends a row with the columns of timm's results files. */
async function appendRow(
  path: string,
  { result, models, members }: { result: Score; models: readonly RunningModel[]; members: readonly Member[] },
): Promise<void> {
  const [{ preprocessing }] = members as [Member];
  const percentOf = (fraction: number) => +(fraction * 100).toFixed(3);
  const graphs = models.flatMap(({ graph }) => graph ?? []);
  const parameters = graphs.reduce((sum, graph) => sum + costsOf(graph).parameters, 0);
  const row = {
    model: models.map(({ source }) => source).join(' + '),
    top1: percentOf(1 - result.top1Error),
    top1_err: percentOf(result.top1Error),
    top5: percentOf(1 - result.top5Error),
    top5_err: percentOf(result.top5Error),
    param_count: graphs.length < models.length ? '' : +(parameters / 1e6).toFixed(2),
    img_size: preprocessing.size[0],
    crop_pct: preprocessing.crop,
    interpolation: preprocessing.kernel.replace(/^(pillow|tf)-/, ''),
  };
  const isNew = (await stat(path).catch(() => undefined)) === undefined;
  await appendFile(path, `${Papa.unparse([row], { header: isNew, newline: '\n' })}\n`);
}

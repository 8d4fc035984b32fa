/** `inception train`: trains a network into a run folder. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describeClasses, describeReport, summarise } from '../../data/data-report.ts';
import { UsageError } from '../../errors.ts';
import { costsOf } from '../../graph/costs.ts';
import { describeAugmentation } from '../../images/augmentation/describe.ts';
import { describeProtocol } from '../../images/preprocess.ts';
import { runFiles } from '../../model/run-layout.ts';
import { networkOptions } from '../../networks/network-options.ts';
import type { Configuration } from '../../train/configuration/configuration.ts';
import { runNumbers } from '../../train/configuration/run-options.ts';
import { previewTraining } from '../../train/preview/preview.ts';
import { describeBalance } from '../../train/recipe/class-weights.ts';
import { imagesOfStep } from '../../train/recipe/recipe.ts';
import type { EvaluationMetrics, TestMetrics } from '../../train/run/records.ts';
import type { TrainResult } from '../../train/run-loop.ts';
import { type Run, train } from '../../train/start-run.ts';
import { describeRates, describeWeights } from '../../train/starting/describe-weights.ts';
import type { TrainEvent, TrainOptions } from '../../train/train-options.ts';
import { findAbout, findFlag, refuseWithFind, showLearningRate } from '../find-learning-rate.ts';
import { addGroupOptions, inGroup, type Joined, refuseInGroup } from '../in-group.ts';
import { networkArgument, readNetwork } from '../network-argument.ts';
import { addDeclared, readDeclared, refuseOption } from '../options/declared-options.ts';
import { addEngineOptions, type EngineOptions } from '../options/engine-options.ts';
import { modelArgument, noticesTo } from '../options/model-options.ts';
import { addNetworkOptions, readNetworkOptions } from '../options/network-options.ts';
import { addRecipeOptions, readChanges, readRecipe, readWeightsFile } from '../options/recipe-options.ts';
import { estimateText } from '../output/estimate-text.ts';
import { hasTop5 } from '../output/evaluation-report.ts';
import { counted, duration, grouped, percent, short } from '../output/format.ts';
import { openProgress, type ProgressView } from '../output/progress.ts';
import { goOnWithoutOutput } from '../output/standard-streams.ts';
import { addOutput } from '../usage.ts';

type Values = EngineOptions & {
  readonly data?: string;
  readonly output: string;
  readonly resume?: boolean;
  readonly findLearningRate?: boolean;
  readonly weights?: string;
  readonly preview?: string;
} & Record<string, unknown>;

export function addTrain(program: Command): void {
  const command = program
    .command('train')
    .description('train a network')
    .argument('[network]', `${networkArgument}; not needed with --weights or --resume`)
    .option('--weights <model>', `start from trained weights: ${modelArgument}`)
    .option(
      '--data <data>',
      "'fashion-mnist', a folder of class folders, or of train, val and test, shards ('train-{0000..0146}.tar') or TFRecord files",
    );
  addOutput(command, { value: 'run', about: 'run folder to write' }).option(
    '--resume',
    'continue from the latest checkpoint in the run folder; more --epochs and a lower --learning-rate are taken',
  );
  command
    .option('--no-probe', 'with --weights: no nearest neighbours and no probe before the training')
    .option(findFlag, findAbout);
  addDeclared(command, runNumbers);
  addGroupOptions(command);
  command.option(
    '--preview <file>',
    'write a sheet (.png) of training images as the network will see them, and end: nothing is trained, nothing written to --output',
  );
  addEngineOptions(command);
  command.optionsGroup('Network:');
  addNetworkOptions(command, { except: ['classes', 'inputChannels'] });
  refuseOption(command, networkOptions.classes, 'the number of classes is that of --data');
  refuseOption(command, networkOptions.inputChannels, 'training images are RGB');
  addRecipeOptions(command)
    .addHelpText(
      'after',
      `
The run folder contains config.json, metrics.jsonl, checkpoints/, model.safetensors and curves.svg.
Ctrl-C saves a checkpoint; 'inception train --resume --out RUN' continues from it, bit for bit.

Examples:
  inception train --weights hub:timm/inception_v3.tv_in1k --data photos/ --out runs/photos
  inception train inception-v4 --data photos/ --out runs/photos
  inception train inception-resnet-v2 --data fashion-mnist --recipe small-data \\
    --width 0.25 --blocks 1,2,1 --input-size 75 --epochs 5 --out runs/fashion`,
    )
    .action(async (network: string | undefined, values: Values) => {
      if (values.resume) refuseWithResume(command);
      if (values.findLearningRate) {
        refuseWithFind(command);
        refuseInGroup('--find-learning-rate');
        await showLearningRate(await newRun(network, values));
        return;
      }
      if (values.preview !== undefined) {
        if (values.processes !== undefined) throw new UsageError('--processes: has no effect with --preview');
        refuseInGroup('--preview');
      }
      const exitCode = await inGroup(values, (joined) => run(network, values, joined));
      if (exitCode !== undefined) process.exitCode = exitCode;
    });
}

/** Options that a resumed run accepts; all others come from its config.json. */
const resumeOptions = new Set([
  ...['out', 'output', 'resume', 'data', 'epochs', 'learningRate'],
  ...['evaluateEvery', 'saveEvery', 'device', 'threads', 'processes', 'peerTimeout'],
]);

function refuseWithResume(command: Command): void {
  const idle = command.options.find((option) => {
    const name = option.attributeName();
    return command.getOptionValueSource(name) === 'cli' && !resumeOptions.has(name);
  });
  if (idle)
    throw new UsageError(
      `${idle.long}: cannot change with --resume, which continues with the run's own config.json; only more --epochs, a lower --learning-rate, --data that have moved, --device, --threads, --evaluate-every and --save-every can`,
    );
}

async function run(
  network: string | undefined,
  values: Values,
  { group, threads, isRestart }: Joined,
): Promise<number> {
  if (values.preview !== undefined) return preview(values.preview, await newRun(network, values));
  const interruption = new AbortController();
  let exitCode = 0;
  goOnWithoutOutput();
  const interrupt = (signal: NodeJS.Signals, code: number) => () => {
    // A second signal exits without waiting for the step. A closing terminal sends SIGHUP more than once.
    if (interruption.signal.aborted && signal !== 'SIGHUP') process.exit(code);
    if (interruption.signal.aborted) return;
    exitCode = code;
    // Below a bar of progress, which the first process shows.
    const line = group.rank === 0 ? '\n' : '';
    process.stderr.write(
      `${line}${signal}: saving a checkpoint after this step; repeat to stop without saving\n`,
    );
    interruption.abort();
  };
  process.on('SIGINT', interrupt('SIGINT', 130));
  process.on('SIGTERM', interrupt('SIGTERM', 143));
  process.on('SIGHUP', interrupt('SIGHUP', 129));
  // Slurm's '--signal=USR1@60' comes before the end of a job's time. Elsewhere the signal is Node.js's own.
  if (group.size > 1 || process.env.SLURM_JOB_ID !== undefined)
    process.on('SIGUSR1', interrupt('SIGUSR1', 138));
  const { saveEvery: saveEverySteps, evaluateEvery } = readDeclared(runNumbers, values);
  const common = { evaluateEvery, saveEverySteps, group, threads, signal: interruption.signal };
  const { device, output: resume, data } = values;
  const training = train(
    values.resume
      ? { ...common, device, resume, network, data, recipe: readChanges(values) }
      : { ...(await newRun(network, values)), ...common, goOn: isRestart },
  );
  if (group.rank > 0) return follow(training, () => exitCode);
  await showProgress(training);
  const result = await training.result;
  conclude(result, training.folder);
  return exitCode || stoppedByOthers(result);
}

/** A process that is not the first one says only what is amiss. */
async function follow(training: Run, exitCode: () => number): Promise<number> {
  for await (const event of training)
    if (event.kind === 'warning') process.stderr.write(`warning: ${event.message}\n`);
  const result = await training.result;
  if (!result.finished && exitCode() === 0)
    process.stderr.write(`stopped after step ${result.position.step}, as another process was asked to\n`);
  return exitCode() || stoppedByOthers(result);
}

/** Without a signal to this process the training was stopped by one to another. */
const stoppedByOthers = ({ finished }: TrainResult): number => (finished ? 0 : 1);

async function preview(file: string, options: TrainOptions): Promise<number> {
  if (!/\.png$/i.test(file))
    throw new UsageError(`--preview: expected a file that ends in .png, received '${file}'`);
  const notices = noticesTo(process.stderr);
  await writeFile(file, await previewTraining(options, notices));
  notices.end();
  process.stderr.write(`preview: ${file}; nothing was trained\n`);
  return 0;
}

/** @throws UsageError */
async function newRun(network: string | undefined, values: Values): Promise<TrainOptions> {
  const { weights } = values;
  if (network === undefined && weights === undefined)
    throw new UsageError(
      "train: expected a network ('inception models' lists them), or --weights MODEL to start from trained weights",
    );
  if (values.data === undefined)
    throw new UsageError(
      "--data: expected 'fashion-mnist', a folder of class folders, shards or TFRecord files",
    );
  const { seed, validation, limitTrain, limitValidation, limitTest, timeSeconds } = readDeclared(
    runNumbers,
    values,
  );
  return {
    ...(network !== undefined && { network: await readNetwork(network) }),
    weights,
    ...(values.probe === false && { probe: false }),
    data: values.data,
    out: values.output,
    options: readNetworkOptions(values),
    recipe: readRecipe({ ...values, classWeights: await readWeightsFile(values.classWeights) }, { weights }),
    ...(seed !== undefined && { seed }),
    device: values.device,
    threads: values.threads,
    precision: values.precision,
    validation,
    limitTrain,
    limitValidation,
    limitTest,
    timeSeconds,
  };
}

type StartEvent = Extract<TrainEvent, { kind: 'start' }>;

async function showProgress(training: Run): Promise<void> {
  const progress = openProgress();
  let classes: readonly string[] = [];
  try {
    for await (const event of training) {
      if (event.kind === 'start') {
        ({ classes } = event.configuration);
        showStart(event, progress);
      } else if (event.kind === 'step') progress.step(event);
      else if (event.kind === 'warning') progress.say(`warning: ${event.message}`);
      else if (event.kind === 'note') progress.say(event.message);
      else if (event.kind === 'estimate') for (const line of estimateText(event)) progress.say(line);
      else progress.say(evaluationText(event, classes));
    }
  } finally {
    progress.stop();
  }
}

function showStart(
  { configuration, engine, graph, train: data, validation, test, position, totalSteps }: StartEvent,
  { say, start }: ProgressView,
): void {
  const { network, recipe, precision, preprocessing } = configuration;
  const { parameters, macs } = costsOf(graph);
  const { hardware, threads, libtorch } = engine;
  say(`${network}: ${grouped(parameters)} parameters, ${short(macs)} multiply-adds per image`);
  const counts = [
    `${data.name}, ${counted(data.length, 'image')}`,
    validation ? `validation: ${validation.name}, ${grouped(validation.length)}` : 'no validation',
    test ? `test: ${test.name}, ${grouped(test.length)}` : 'no test',
  ];
  say(`data: ${counts.join('; ')}`);
  say(`classes: ${describeClasses(summarise(data))}`);
  if (configuration.weights && position.step === 0)
    for (const line of describeWeights(configuration.weights, graph)) say(line);
  for (const line of describeRates(recipe, graph)) say(line);
  for (const line of describeBalance(summarise(data), recipe)) say(line);
  if (position.step === 0) for (const line of configuration.decisions ?? []) say(line);
  const opened = [data, validation, test].flatMap((dataset) => (dataset ? describeReport(dataset) : []));
  for (const line of new Set(opened)) say(line);
  if (!validation)
    say(
      test
        ? 'nothing is evaluated during training; the test images are scored once, at the end'
        : 'warning: without validation and test images nothing tells how good the model will be',
    );
  say(
    `recipe: ${recipe.name}, ${counted(recipe.epochs, 'epoch')} of ${batchText(recipe)}, ${counted(totalSteps, 'step')}`,
  );
  say(`augmentation: ${describeAugmentation(recipe.augmentation)}`);
  say(`engine: libtorch ${libtorch}, ${precision}, ${counted(threads, 'thread')}, ${hardware}`);
  say(`evaluation: ${describeProtocol(preprocessing)}, averaged weights`);
  if (position.step > 0) say(`resumed after step ${grouped(position.step)}`);
  start({ step: position.step, totalSteps, batch: imagesOfStep(recipe) });
}

const batchText = (recipe: Configuration['recipe']): string => {
  const { batch, replicas, learningRate } = recipe;
  if (replicas === 1) return `batch ${batch}`;
  return `batch ${batch} for each of ${replicas} replicas (${grouped(imagesOfStep(recipe))} images a step, learning rate ${+learningRate.toPrecision(3)})`;
};

const evaluationText = (metrics: EvaluationMetrics | TestMetrics, classes: readonly string[]): string => {
  const { epoch, top1Error, top5Error, balancedAccuracy, elapsedSeconds, skipped = 0 } = metrics;
  const [word, loss] =
    metrics.kind === 'test' ? ['test', metrics.testLoss] : ['validation', metrics.validationLoss];
  const top5 = hasTop5(classes) ? ` (top-5 ${percent(top5Error)})` : '';
  const balanced = balancedAccuracy === undefined ? '' : `, balanced accuracy ${percent(balancedAccuracy)}`;
  const without = skipped === 0 ? '' : `, without ${counted(skipped, 'skipped image')}`;
  return `epoch ${+epoch.toFixed(2)}: ${word} error ${percent(top1Error)}${top5}${balanced}, loss ${loss.toFixed(3)}, after ${duration(elapsedSeconds)}${without}`;
};

function conclude(
  { finished, stoppedEarly, evaluation, model, chosenBy, test, position }: TrainResult,
  folder: string,
): void {
  if (!finished) {
    process.stderr.write(
      `stopped after step ${position.step}; 'inception train --resume --out ${folder}' continues\n`,
    );
    return;
  }
  if (stoppedEarly && evaluation && model)
    process.stderr.write(
      `ended after epoch ${+evaluation.epoch.toFixed(2)}: none was better than epoch ${+model.epoch.toFixed(2)} (--patience)\n`,
    );
  process.stderr.write(
    `model: ${join(folder, runFiles.model)}${model?.chosen ? `, ${choiceText(model, { last: evaluation, chosenBy })}` : ''}\n${position.step === 0 ? '' : `curves: ${join(folder, runFiles.curves)}\n`}`,
  );
  if (test) process.stdout.write(`test error ${percent(test.top1Error)}\n`);
  else if (model) process.stdout.write(`validation error ${percent(model.top1Error)}\n`);
}

/** Which averages the model holds, and by what number they were chosen. */
function choiceText(
  model: EvaluationMetrics,
  { last, chosenBy }: { last: EvaluationMetrics | undefined; chosenBy: TrainResult['chosenBy'] },
): string {
  const isBalanced = chosenBy === 'balancedAccuracy';
  const criterion = isBalanced
    ? 'highest balanced accuracy on the validation images, since classes are to count alike'
    : 'lowest validation error';
  const told = ({ epoch, top1Error, balancedAccuracy = 0, validationLoss }: EvaluationMetrics) =>
    `epoch ${+epoch.toFixed(2)} (${isBalanced ? `balanced accuracy ${percent(balancedAccuracy)}, ` : ''}error ${percent(top1Error)}, loss ${validationLoss.toFixed(3)})`;
  return last === undefined || last.step === model.step
    ? `the averages after the last epoch, which has the ${criterion}: ${told(model)}`
    : `the averages after ${told(model)}, chosen by the ${criterion}; those of the last, ${told(last)}, are in ${runFiles.last}`;
}

/** `inception train`: trains a network into a run folder. */
import type { Command } from 'commander';
import { openData } from '../../data/open-data.ts';
import { choosePrecision } from '../../engine/precision.ts';
import { UsageError } from '../../errors.ts';
import { costsOf } from '../../graph/costs.ts';
import { describeProtocol, standardPreprocessing } from '../../images/preprocess.ts';
import { graphOf } from '../../model/description.ts';
import type { NetworkOptions } from '../../networks/networks.ts';
import type { Configuration } from '../../train/configuration.ts';
import {
  type Recipe,
  type RecipeOverrides,
  recipeNames,
  resolveRecipe,
  type Schedule,
} from '../../train/recipe.ts';
import { RunFolder } from '../../train/run-folder.ts';
import { type TrainResult, train } from '../../train/train.ts';
import { packageVersion } from '../../version.ts';
import { networkArgument, readNetwork } from '../network-argument.ts';
import { addEngineOptions, type EngineOptions, openEngine } from '../options/engine-options.ts';
import { addNetworkOptions, readNetworkOptions } from '../options/network-options.ts';
import { duration, grouped, percent, short } from '../output/format.ts';
import { openProgress } from '../output/progress.ts';
import { number, oneOf, wholeNumber } from '../usage.ts';

type Values = EngineOptions & {
  readonly data?: string;
  readonly out: string;
  readonly recipe?: string;
  readonly resume?: boolean;
  readonly seed: number;
  readonly limitTrain?: number;
  readonly limitTest?: number;
  readonly evaluateEvery: number;
  readonly saveEvery?: number;
} & Record<string, unknown>;

/** Options that override one number of the recipe each, by the recipe's own names. */
const recipeNumbers = {
  epochs: ['--epochs <n>', 'epochs; may be broken'],
  batch: ['--batch <n>', 'images in one step; the learning rate is scaled with it'],
  learningRate: ['--learning-rate <rate>', 'at the beginning, or after the warm-up'],
  rmsDecay: ['--rms-decay <share>', "RMSProp's decay of the mean square"],
  rmsEpsilon: ['--rms-epsilon <value>', 'added to the mean square, inside the root'],
  momentum: ['--momentum <share>', 'of RMSProp'],
  weightDecay: ['--weight-decay <value>', 'on convolution and dense weights'],
  labelSmoothing: ['--label-smoothing <share>', 'given to all classes alike'],
  auxiliaryLossWeight: ['--auxiliary-loss-weight <value>', "of the auxiliary classifier's loss"],
  batchNormMomentum: ['--batch-norm-momentum <share>', "a batch's share in the moving statistics"],
  averageDecay: ['--average-decay <share>', "of the weights' running averages"],
  clipNorm: ['--clip-norm <norm>', 'largest norm of the gradient (default: off)'],
  evaluationCrop: ['--evaluation-crop <share>', 'of each side that the central crop keeps'],
} as const;

export function addTrain(program: Command): void {
  const command = program
    .command('train')
    .description('train a network into a run folder')
    .argument('[network]', `${networkArgument}; a resumed run knows its own`)
    .option('--data <data>', "'fashion-mnist', or a folder of class folders")
    .requiredOption('--out <run>', 'the run folder')
    .option('--resume', 'go on from the newest checkpoint of the run folder')
    .option('--recipe <name>', `${recipeNames.join(' or ')} (default: paper)`)
    .option('--seed <n>', 'of weights, order, distortions and dropout', wholeNumber('--seed', 0), 1)
    .option('--limit-train <n>', 'train on so many images only', wholeNumber('--limit-train'))
    .option('--limit-test <n>', 'evaluate on so many images only', wholeNumber('--limit-test'))
    .option('--evaluate-every <epochs>', 'epochs between evaluations', wholeNumber('--evaluate-every'), 1)
    .option('--save-every <steps>', 'checkpoints besides those of every epoch', wholeNumber('--save-every'));
  addEngineOptions(command);
  command.optionsGroup('Network:');
  addNetworkOptions(command);
  command.optionsGroup('Recipe (each overrides one number):');
  for (const [flags, about] of Object.values(recipeNumbers))
    command.option(flags, about, number(flags.split(' ')[0] as string));
  command
    .option('--schedule <kind>', 'staircase or cosine', oneOf('--schedule', ['staircase', 'cosine']))
    .option('--decay-factor <factor>', 'of the staircase (0.94)', number('--decay-factor'))
    .option('--decay-every <epochs>', 'of the staircase (2)', number('--decay-every'))
    .option('--warmup <epochs>', 'of the cosine (1)', number('--warmup'))
    .option(
      '--crop-area <least>',
      'least share of the area that random crops keep; 1 turns them off',
      number('--crop-area'),
    )
    .option('--shift <pixels>', 'random shifts, in pixels of the image', wholeNumber('--shift', 0))
    .option('--erase <share>', 'probability of random erasing', number('--erase'))
    .option('--no-flip', 'no mirrored images')
    .option('--colour', 'colour distortion')
    .option('--no-colour', 'no colour distortion')
    .addHelpText(
      'after',
      `
The run folder gets config.json, metrics.jsonl, checkpoints/, model.safetensors and curves.svg.
Ctrl-C saves a checkpoint; 'inception train --resume --out RUN' goes on from it, bit for bit.

Examples:
  inception train inception-v4 --data photos/ --out runs/photos
  inception train inception-resnet-v2 --data fashion-mnist --recipe small-data \\
    --width 0.25 --blocks 1,2,1 --input-size 75 --epochs 5 --out runs/fashion`,
    )
    .action(async (network: string | undefined, values: Values) => {
      process.exitCode = await run(network, values);
    });
}

async function run(network: string | undefined, values: Values): Promise<number> {
  const folder = new RunFolder(values.out);
  const engine = await openEngine(values);
  const interruption = new AbortController();
  let exitCode = 0;
  const interrupt = (signal: NodeJS.Signals, code: number) => () => {
    // A second signal does not wait for the step.
    if (interruption.signal.aborted) process.exit(code);
    exitCode = code;
    process.stderr.write(`\n${signal}: saving a checkpoint after this step; once more to stop without it\n`);
    interruption.abort();
  };
  process.on('SIGINT', interrupt('SIGINT', 130));
  process.on('SIGTERM', interrupt('SIGTERM', 143));
  try {
    const configuration = values.resume
      ? await folder.configuration()
      : await configurationFor(network, values, engine);
    if (values.resume && network !== undefined && network !== configuration.network) {
      throw new UsageError(`${values.out} trains ${configuration.network}, not ${network}`);
    }
    // Whatever does not fit is said before anything is written.
    graphOf(configuration);
    if (!values.resume) await folder.create(configuration);
    await folder.lock();
    try {
      const result = await trainWithProgress({
        configuration,
        folder,
        engine,
        values,
        signal: interruption.signal,
      });
      const { writeCurves } = await import('../../train/curves.ts');
      await writeCurves(folder);
      await conclude(result, folder);
    } finally {
      await folder.unlock();
    }
    return exitCode;
  } finally {
    await engine.close();
  }
}

async function configurationFor(
  name: string | undefined,
  values: Values,
  { facts }: Awaited<ReturnType<typeof openEngine>>,
): Promise<Configuration> {
  if (name === undefined) throw new UsageError("train: which network? 'inception models' lists them");
  const network = await readNetwork(name);
  if (values.data === undefined)
    throw new UsageError("--data: expected 'fashion-mnist' or a folder of class folders");
  const recipe = resolveRecipe(values.recipe ?? 'paper', overridesOf(values));
  const { classes } = await openData(values.data, 'train');
  const options: NetworkOptions = { ...readNetworkOptions(values), classes: classes.length };
  const size = options.inputSize ?? network.input[0];
  return {
    format: 1,
    network: network.name,
    options,
    data: values.data,
    classes,
    preprocessing: standardPreprocessing(typeof size === 'number' ? [size, size] : size, {
      crop: recipe.evaluationCrop,
    }),
    recipe,
    seed: values.seed,
    precision: choosePrecision(values.precision, facts),
    device: facts.device,
    threads: facts.threads,
    limitTrain: values.limitTrain ?? null,
    limitTest: values.limitTest ?? null,
    versions: { inception: packageVersion, libtorch: facts.libtorch, node: process.versions.node },
  };
}

function overridesOf(values: Values): RecipeOverrides {
  const given = (key: string) => values[key] !== undefined;
  const numbers = Object.fromEntries(
    Object.keys(recipeNumbers)
      .filter(given)
      .map((key) => [key, values[key]]),
  );
  const base = resolveRecipe(values.recipe ?? 'paper');
  const distortion = {
    ...(given('cropArea') && {
      area: values.cropArea === 1 ? null : ([values.cropArea as number, 1] as const),
    }),
    ...(given('shift') && { shift: values.shift as number }),
    ...(given('erase') && { erase: values.erase as number }),
    ...(values.flip === false && { flip: false }),
    ...(given('colour') && { colour: values.colour as boolean }),
  };
  const schedule = scheduleOf(values, base);
  return { ...numbers, ...(schedule && { schedule }), distortion };
}

function scheduleOf(values: Values, { schedule }: Recipe): Schedule | undefined {
  const kind = (values.schedule as Schedule['kind'] | undefined) ?? schedule.kind;
  const known = schedule.kind === kind ? schedule : undefined;
  if (kind === 'cosine') {
    const warmup = known?.kind === 'cosine' ? known.warmup : 1;
    return { kind, warmup: (values.warmup as number | undefined) ?? warmup };
  }
  const { factor, every } = known?.kind === 'staircase' ? known : { factor: 0.94, every: 2 };
  return {
    kind,
    factor: (values.decayFactor as number | undefined) ?? factor,
    every: (values.decayEvery as number | undefined) ?? every,
  };
}

async function trainWithProgress({
  configuration,
  folder,
  engine,
  values,
  signal,
}: {
  configuration: Configuration;
  folder: RunFolder;
  engine: Awaited<ReturnType<typeof openEngine>>;
  values: Values;
  signal: AbortSignal;
}): Promise<TrainResult> {
  const progress = openProgress();
  const { recipe, precision } = configuration;
  try {
    return await train({
      configuration,
      folder,
      engine,
      resume: values.resume ?? false,
      signal,
      evaluateEvery: values.evaluateEvery,
      ...(values.saveEvery !== undefined && { saveEverySteps: values.saveEvery }),
      onStart: ({ graph, train: data, test, position, totalSteps }) => {
        const { parameters, macs } = costsOf(graph);
        const { hardware, threads, libtorch } = engine.facts;
        progress.say(
          `${configuration.network}: ${grouped(parameters)} parameters, ${short(macs)} multiply-adds an image`,
        );
        progress.say(
          `data: ${data.name}, ${grouped(data.length)} images; ${test.name}, ${grouped(test.length)}`,
        );
        progress.say(
          `recipe: ${recipe.name}, ${recipe.epochs} epochs of batch ${recipe.batch}, ${grouped(totalSteps)} steps`,
        );
        progress.say(`engine: libtorch ${libtorch}, ${precision}, ${threads} threads, ${hardware}`);
        progress.say(`evaluation: ${describeProtocol(configuration.preprocessing)}, averaged weights`);
        if (position.step > 0) progress.say(`resumed after step ${grouped(position.step)}`);
        progress.start({ step: position.step, totalSteps, batch: recipe.batch });
      },
      onStep: (step) => progress.step(step),
      onEvaluation: ({ epoch, top1Error, top5Error, testLoss, elapsedSeconds }) =>
        progress.say(
          `epoch ${+epoch.toFixed(2)}: test error ${percent(top1Error)} (top-5 ${percent(top5Error)}), loss ${testLoss.toFixed(3)}, after ${duration(elapsedSeconds)}`,
        ),
      onWarning: (message) => progress.say(`warning: ${message}`),
    });
  } finally {
    progress.stop();
  }
}

async function conclude({ finished, evaluation, position }: TrainResult, folder: RunFolder): Promise<void> {
  if (!finished) {
    process.stderr.write(
      `stopped after step ${position.step}; 'inception train --resume --out ${folder.path}' goes on\n`,
    );
    return;
  }
  process.stderr.write(
    `the model is in ${folder.file('model.safetensors')}, the curves are in ${folder.file('curves.svg')}\n`,
  );
  // A run that was finished before has its last evaluation in the metrics.
  const last = evaluation ?? (await folder.metrics()).findLast((line) => line.kind === 'evaluation');
  if (last?.kind === 'evaluation') process.stdout.write(`test error ${percent(last.top1Error)}\n`);
}

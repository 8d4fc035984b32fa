/** `inception bench`: speed and memory on this machine, compared with other frameworks. */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import type { CompareOptions } from '../../bench/compare-sides.ts';
import type { Work, WorkOptions } from '../../bench/job.ts';
import { type PeerName, peerNames } from '../../bench/peers.ts';
import type { Clock } from '../../bench/side.ts';
import { describeReport } from '../../data/data-report.ts';
import { openData } from '../../data/open-data.ts';
import { choosePrecision } from '../../engine/precision.ts';
import { UsageError } from '../../errors.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { modelKind } from '../../model/model-kind.ts';
import { refuseIdleOptions } from '../../networks/idle-options.ts';
import { networkOptions } from '../../networks/network-options.ts';
import { findNetwork } from '../../networks/networks.ts';
import { openModel } from '../../predict/open-model.ts';
import { recipeNumbers } from '../../train/recipe/recipe-options.ts';
import { addShared, dividedCores, profileStep } from '../bench-profile.ts';
import { addDeclared, readDeclared } from '../options/declared-options.ts';
import { addEngineOptions, type EngineOptions, openEngine } from '../options/engine-options.ts';
import { noticesTo, predictingArgument } from '../options/model-options.ts';
import { addNetworkOptions, readNetworkOptions } from '../options/network-options.ts';
import { flagOf, oneOf, wholeNumber } from '../usage.ts';

type Kind = 'train' | 'infer' | 'data' | 'memory' | 'compile' | 'profile';

const defaultNetwork = 'inception-v4';
const networkName = "network of 'inception models'";

type Values = EngineOptions & {
  readonly network?: string;
  /** A run, a weights file or an .onnx file. */
  readonly model?: string | undefined;
  readonly batch?: number;
  readonly rounds: number;
  readonly clock: Clock;
  readonly against?: readonly PeerName[];
  readonly python?: readonly string[];
  readonly tfjs?: string;
  readonly for: Work;
  readonly data: string;
  readonly output?: string;
  readonly layers: number;
  readonly processes?: number;
  readonly json?: boolean;
} & Record<string, unknown>;

/** Adds a group of options to a subcommand. */
type AddOptions = (command: Command) => Command;

const work: AddOptions = (command) =>
  command
    .argument('[model]', `model to run instead of --network: ${predictingArgument}`)
    .option('--network <network>', `${networkName} (default: ${defaultNetwork})`)
    .option('--batch <n>', 'images per step (default: 8, or that of an .onnx file)', wholeNumber('--batch'));

const rounds: AddOptions = (command) =>
  command.option('--rounds <n>', 'number of measured steps', wholeNumber('--rounds'), 7);

const peers: AddOptions = (command) =>
  command
    .option(
      '--against <peers>',
      `comma-separated: ${peerNames.join(', ')}, or 'none' (default: pytorch; onnxruntime for an .onnx file)`,
      parsePeers,
    )
    .option(
      '--python <paths>',
      'comma-separated Python interpreters to search for peers (default: python3 and /usr/bin/python3)',
      (text: string) => text.split(','),
    )
    .option('--tfjs <folder>', 'folder with an installed TensorFlow.js (default: current folder)');

const clock: AddOptions = (command) =>
  command.option(
    '--clock <clock>',
    'wall, or processor: CPU time of all threads, for a busy machine',
    oneOf('--clock', ['wall', 'processor']),
    'wall',
  );

const purpose: AddOptions = (command) =>
  command.option(
    '--for <work>',
    'step to measure: train or infer',
    oneOf('--for', ['train', 'infer']),
    'train',
  );

const { freeze } = recipeNumbers;

const frozen: AddOptions = (command) => addDeclared(command, { freeze });

const engineAndNetwork: AddOptions = (command) =>
  addNetworkOptions(addEngineOptions(command).optionsGroup('Network:'));

const data: AddOptions = (command) =>
  addDeclared(
    command
      .option('--data <data>', "'fashion-mnist', a folder of class folders or shards", 'fashion-mnist')
      .option('--network <network>', `${networkName}, for its input size (default: ${defaultNetwork})`)
      .option('--batch <n>', 'images per batch (default: 32)', wholeNumber('--batch'))
      .option('--against <peer>', "torchvision or 'none' (default: torchvision)", (text: string) =>
        oneOf('--against', ['torchvision', 'none'])(text) === 'none' ? [] : undefined,
      )
      .option(
        '--python <paths>',
        'comma-separated Python interpreters to search for torchvision (default: python3 and /usr/bin/python3)',
        (text: string) => text.split(','),
      ),
    { inputSize: networkOptions.inputSize },
  );

const trace: AddOptions = (command) =>
  command
    .option('--output <file>', 'write a trace for chrome://tracing or ui.perfetto.dev')
    .option('--layers <n>', 'number of slowest layers to list', wholeNumber('--layers'), 20);

const subcommands: { readonly [K in Kind]: readonly [about: string, ...groups: AddOptions[]] } = {
  train: [
    'measure training steps, alternating with PyTorch; with --freeze also with training everything',
    work,
    frozen,
    rounds,
    peers,
    clock,
    engineAndNetwork,
  ],
  infer: [
    'measure inference, alternating with PyTorch and others',
    work,
    rounds,
    peers,
    clock,
    engineAndNetwork,
  ],
  memory: [
    'measure peak memory of a step, beside PyTorch and others',
    work,
    purpose,
    frozen,
    peers,
    engineAndNetwork,
  ],
  compile: [
    'measure how long compiling and loading a step takes',
    work,
    rounds,
    purpose,
    frozen,
    engineAndNetwork,
  ],
  profile: [
    'show where the time of a step goes, by operator and by layer',
    work,
    rounds,
    purpose,
    frozen,
    addShared,
    trace,
    engineAndNetwork,
  ],
  data: ['measure how fast training images are prepared, alternating with torchvision', data, rounds],
};

export function addBench(program: Command): void {
  const bench = program
    .command('bench')
    .description('measure speed and memory, side by side with PyTorch and others')
    .addHelpText(
      'after',
      `
Each side runs in its own process on the same cores with the same weights. Their first outputs are compared, then the sides
take turns. 'floor' is the network's convolutions alone.

Examples:
  inception bench train --network inception-v4 --batch 8 --precision bfloat16
  inception bench infer --network inception-v4 --batch 1 --precision float32 --against pytorch,onnxruntime
  inception bench infer --batch 1 --precision float32 --against tfjs --tfjs ~/tfjs
  inception bench infer photos.onnx --batch 1 --against onnxruntime,openvino
  inception bench infer runs/photos --precision float32 --against pytorch
  inception bench train --network inception-v3 --freeze reductionB --precision float32
  inception bench profile --for train --output trace.json
  inception bench profile --processes 2
  inception bench data --data photos --network inception-v3`,
    );
  for (const [kind, [about, ...groups]] of Object.entries(subcommands) as [
    Kind,
    (typeof subcommands)[Kind],
  ][]) {
    const command = bench
      .command(kind, { isDefault: kind === 'train' })
      .description(about)
      .option('--json', 'print JSON');
    for (const add of groups) add(command);
    command.action(async () => {
      const values = { ...defaultValues, ...command.opts(), model: command.args[0] } as Values;
      process.stdout.write(await run(kind, values));
    });
  }
}

/** For subcommands without the option; memory peaks in the first steps. */
const defaultValues = { rounds: 2, clock: 'wall', for: 'train' };

function parsePeers(text: string): PeerName[] {
  if (text === 'none') return [];
  return text.split(',').map((name) => {
    const peer = peerNames.find((known) => known === name);
    if (peer === undefined)
      throw new UsageError(`--against: expected ${peerNames.join(', ')} or none, received '${name}'`);
    return peer;
  });
}

async function run(kind: Kind, values: Values): Promise<string> {
  if (values.model !== undefined && modelKind(values.model) === 'onnx')
    return runOnnx(kind, values.model, values);
  if (values.model === undefined) return runNetwork(kind, values, undefined);
  const idle = Object.keys({ ...(values.network && { network: '' }), ...readNetworkOptions(values) });
  if (idle.length > 0)
    throw new UsageError(
      `${flagOf(idle[0] as string)}: has no effect with a model, which has its own network; received ${values.model} as well`,
    );
  const notices = noticesTo(process.stderr);
  const model = await openModel(values.model, notices);
  if (model.description.int8)
    notices.onNotice?.(
      `${model.source}: an int8 model, measured in float32 or bfloat16; 'bench infer' of its export in int8 measures that`,
    );
  notices.end();
  try {
    const { network } = model.description;
    return await runNetwork(kind, { ...values, network }, model);
  } finally {
    await model.close();
  }
}

async function runNetwork(kind: Kind, values: Values, model: ModelFile | undefined): Promise<string> {
  const { rounds, batch = 8, json } = values;
  const print = printer(json);
  const report = await import('../../bench/report.ts');
  const options = model?.description.options ?? readNetworkOptions(values);
  if (!model) refuseIdleOptions(findNetwork(values.network ?? defaultNetwork), options);
  if (kind === 'data') {
    const { measureData } = await import('../../bench/data-rate.ts');
    const { graphOfWork } = await import('../../bench/our-step.ts');
    const { network } = graphOfWork({ network: values.network ?? defaultNetwork, options });
    const [height, width] = network.input;
    const { defaultPythons } = await import('../../bench/peers.ts');
    const dataset = await openData(values.data, 'train');
    const { onNotice } = noticesTo(process.stderr);
    for (const line of describeReport(dataset)) onNotice?.(line);
    const rate = await measureData(dataset, {
      data: values.data,
      batch: values.batch ?? 32,
      size: [height, width],
      rounds,
      threads: availableParallelism(),
      pythons: values.against === undefined ? (values.python ?? defaultPythons) : [],
    });
    return print(rate, report.formatData);
  }
  const step = kind === 'train' || kind === 'infer' ? kind : values.for;
  const part = readDeclared({ freeze }, values).freeze ?? undefined;
  if (part !== undefined && step === 'infer')
    throw new UsageError('--freeze: has no effect on inference; expected --for train as well, or none');
  const described = { work: step, options, batch, freeze: part };
  if (kind === 'profile')
    return profileStep(await describeWork(described, dividedCores(values, step)), values);
  const work = await describeWork(described, values);
  if (kind === 'compile') {
    if (!('gc' in globalThis)) return withGarbageCollector();
    const { measureCompile } = await import('../../bench/compile-times.ts');
    return print(await measureCompile(work, { rounds }), (times) => report.formatCompile(work, times));
  }
  const { compare } = await import('../../bench/compare-sides.ts');
  const comparing = await compareOptions(values, ['pytorch']);
  return print(await compare(work, { ...comparing, model }), report.formatComparison);
}

/** An .onnx file is run, not compiled: by ONNX Runtime here, and by Python's if installed. */
async function runOnnx(kind: Kind, path: string, values: Values): Promise<string> {
  if (kind !== 'infer' && kind !== 'memory')
    throw new UsageError(
      `${kind}: an .onnx file cannot be compiled or trained; expected 'bench infer ${path}' or 'bench memory ${path}'`,
    );
  if (values.device === 'cuda')
    throw new UsageError('--device: an .onnx file runs on the CPU here; expected auto or cpu, received cuda');
  const { inputSize: side, ...others } = readNetworkOptions(values);
  const idle = Object.keys({
    ...(values.network && { network: '' }),
    ...(values.precision !== 'auto' && { precision: '' }),
    ...others,
  })[0];
  if (idle !== undefined) throw new UsageError(`${flagOf(idle)}: has no effect with an .onnx file`);
  const unsupported = values.against?.find((name) => name !== 'onnxruntime' && name !== 'openvino');
  if (unsupported !== undefined)
    throw new UsageError(
      `--against: expected onnxruntime, openvino or none for an .onnx file, received '${unsupported}'`,
    );
  const { describeOnnxWork } = await import('../../bench/onnx-job.ts');
  const file = await describeOnnxWork({
    path,
    batch: values.batch,
    size: typeof side === 'number' ? [side, side] : side,
    threads: values.threads ?? availableParallelism(),
  });
  const { compareOnnx } = await import('../../bench/compare-sides.ts');
  const { formatComparison } = await import('../../bench/report.ts');
  const comparison = await compareOnnx(file, await compareOptions(values, ['onnxruntime']));
  return printer(values.json)(comparison, formatComparison);
}

const printer =
  (json = false) =>
  <T>(result: T, text: (result: T) => string): string =>
    json ? `${JSON.stringify(result, null, 2)}\n` : text(result);

async function compareOptions(
  { against, python, tfjs, clock, rounds }: Values,
  defaultPeers: readonly PeerName[],
): Promise<CompareOptions> {
  const { defaultPythons } = await import('../../bench/peers.ts');
  return {
    against: against ?? defaultPeers,
    pythons: python ?? defaultPythons,
    tfjs,
    clock,
    rounds,
    onProgress: (line) => process.stderr.write(`${line}\n`),
  };
}

/** Resolves 'auto' options by opening the engine. @throws EngineError if the device is missing. */
async function describeWork(
  { work, options, batch, freeze }: Pick<WorkOptions, 'work' | 'options' | 'batch' | 'freeze'>,
  values: Values,
): Promise<WorkOptions> {
  const engine = await openEngine(values);
  const precision = choosePrecision(values.precision, engine.facts);
  const { threads, device } = engine.facts;
  await engine.close();
  if (device === 'cuda' && values.clock === 'processor')
    throw new UsageError(
      '--clock: expected wall with --device cuda, received processor: CPU time does not measure the device',
    );
  const { network = defaultNetwork } = values;
  // A part that the network lacks is refused before anything starts.
  const { graphOfWork } = await import('../../bench/our-step.ts');
  graphOfWork({ network, options, freeze });
  const described = { work, network, options, batch, precision, device, threads };
  return { ...described, ...(freeze !== undefined && { freeze }) };
}

/** Repeats the command in a process with --expose-gc: without forced collections the heap size means nothing. */
function withGarbageCollector(): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--expose-gc', ...process.argv.slice(1)], {
    encoding: 'utf8',
  });
  process.stderr.write(stderr);
  if (status !== 0) process.exitCode = status ?? 1;
  return stdout;
}

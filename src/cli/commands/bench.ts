/** `inception bench`: how fast this machine is, against what people use now. */

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Argument, type Command } from 'commander';
import type { CompareOptions } from '../../bench/compare-sides.ts';
import type { Work, WorkOptions } from '../../bench/job.ts';
import type { PeerName } from '../../bench/peers.ts';
import type { Clock } from '../../bench/side.ts';
import { openData } from '../../data/open-data.ts';
import { choosePrecision } from '../../engine/precision.ts';
import { UsageError } from '../../errors.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { modelKind } from '../../model/model-kind.ts';
import { openModel } from '../../predict/open-model.ts';
import { addEngineOptions, type EngineOptions, openEngine } from '../options/engine-options.ts';
import { noticesTo, predictingArgument } from '../options/model-options.ts';
import { addNetworkOptions, readNetworkOptions } from '../options/network-options.ts';
import { oneOf, wholeNumber } from '../usage.ts';

const kinds = ['train', 'infer', 'data', 'memory', 'compile', 'profile'] as const;
type Kind = (typeof kinds)[number];

const usualNetwork = 'inception-v4';

type Values = EngineOptions & {
  readonly network?: string;
  /** A run, a file of weights or an .onnx file. */
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
  readonly json?: boolean;
} & Record<string, unknown>;

export function addBench(program: Command): void {
  const command = program
    .command('bench')
    .description('how fast steps are here, interleaved with PyTorch and others, and where their time goes')
    .addArgument(new Argument('[what]', 'what to measure').choices(kinds).default('train'))
    .argument('[model]', `instead of --network: ${predictingArgument}; an .onnx file is only run`)
    .option('--network <network>', "a name of 'inception models' (default: inception-v4)")
    .option(
      '--batch <n>',
      'images in one step (default: 8, or what an .onnx file takes)',
      wholeNumber('--batch'),
    )
    .option('--rounds <n>', 'steps of each side', wholeNumber('--rounds'), 7)
    .option(
      '--clock <clock>',
      'wall, or processor: of all threads, for a machine on which others work too',
      oneOf('--clock', ['wall', 'processor']),
      'wall',
    )
    .option(
      '--against <peers>',
      "of pytorch, torch-compile, onnxruntime, tfjs, with commas; 'none' for ours alone (default: pytorch; of an .onnx file onnxruntime)",
      parsePeers,
    )
    .option(
      '--python <paths>',
      'Pythons to look for peers in, with commas (default: python3 and /usr/bin/python3)',
      (text: string) => text.split(','),
    )
    .option('--tfjs <folder>', 'where npm has installed TensorFlow.js (default: here)')
    .option(
      '--for <work>',
      'of memory, compile and profile: train or infer',
      oneOf('--for', ['train', 'infer']),
      'train',
    )
    .option('--data <data>', "of data: 'fashion-mnist' or a folder of class folders", 'fashion-mnist')
    .option('--output <file>', 'of profile: a trace for chrome://tracing or ui.perfetto.dev')
    .option('--layers <n>', 'of profile: so many of the slowest layers', wholeNumber('--layers'), 20)
    .option('--json', 'print JSON');
  addEngineOptions(command);
  addNetworkOptions(command)
    .addHelpText(
      'after',
      `
Every side is a process of its own on the same processors, with the same weights; first outputs are compared, then the sides
take turns. 'floor' is the network's convolutions alone.

Examples:
  inception bench train --network inception-v4 --batch 8 --precision bfloat16
  inception bench infer --network inception-v4 --batch 1 --precision float32 --against pytorch,onnxruntime
  inception bench infer --batch 1 --precision float32 --against tfjs --tfjs ~/tfjs
  inception bench infer photos.onnx --batch 1
  inception bench infer runs/photos --precision float32 --against pytorch
  inception bench profile --for train --output trace.json`,
    )
    .action(async (kind: Kind, model: string | undefined, values: Values) => {
      process.stdout.write(await run(kind, { ...values, model }));
    });
}

function parsePeers(text: string): PeerName[] {
  if (text === 'none') return [];
  const known = ['pytorch', 'torch-compile', 'onnxruntime', 'tfjs'] as const;
  return text.split(',').map((name) => {
    const found = known.find((each) => each === name);
    if (found === undefined)
      throw new UsageError(`--against: expected ${known.join(', ')} or none, received '${name}'`);
    return found;
  });
}

async function run(kind: Kind, values: Values): Promise<string> {
  if (values.model !== undefined && modelKind(values.model) === 'onnx')
    return runOnnx(kind, values.model, values);
  if (values.model === undefined) return runNetwork(kind, values, undefined);
  const own = Object.keys({ ...(values.network && { network: '' }), ...readNetworkOptions(values) });
  if (own.length > 0)
    throw new UsageError(
      `--${kebab(own[0] as string)}: ${values.model} says itself what network it is; expected either a model or a network`,
    );
  const notices = noticesTo(process.stderr);
  const model = await openModel(values.model, notices);
  notices.end();
  try {
    const { network } = model.description;
    return await runNetwork(kind, { ...values, network }, model);
  } finally {
    await model.close();
  }
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

async function runNetwork(kind: Kind, values: Values, model: ModelFile | undefined): Promise<string> {
  const { rounds, batch = 8, json } = values;
  const print = printer(json);
  const report = await import('../../bench/report.ts');
  const options = model?.description.options ?? readNetworkOptions(values);
  if (kind === 'data') {
    const { measureData } = await import('../../bench/data-rate.ts');
    const { graphOfWork } = await import('../../bench/our-step.ts');
    const { network } = graphOfWork({ network: values.network ?? usualNetwork, options });
    const [height, width] = network.input;
    const dataset = await openData(values.data, 'train');
    return print(await measureData(dataset, { batch, size: [height, width], rounds }), report.formatData);
  }
  const what = kind === 'train' || kind === 'infer' ? kind : values.for;
  const work = await describeWork({ work: what, options, batch }, values);
  if (kind === 'profile') {
    const { chromeTrace, perLayer, perOperator, profileWork } = await import('../../bench/profile.ts');
    const profile = await profileWork(work, { rounds });
    if (values.output !== undefined) writeFileSync(values.output, chromeTrace(profile));
    if (json) return print({ work, operators: perOperator(profile), layers: perLayer(profile) }, String);
    return report.formatProfile(profile, { layers: values.layers });
  }
  if (kind === 'compile') {
    if (!('gc' in globalThis)) return withGarbageCollector();
    const { measureCompile } = await import('../../bench/compile-times.ts');
    return print(await measureCompile(work, { rounds }), (times) => report.formatCompile(work, times));
  }
  const { compare } = await import('../../bench/compare-sides.ts');
  const comparing = await compareOptions(kind, values, ['pytorch']);
  return print(await compare(work, { ...comparing, model }), report.formatComparison);
}

/** An .onnx file is run and not compiled: by ONNX Runtime here, and by Python's where there is one. */
async function runOnnx(kind: Kind, path: string, values: Values): Promise<string> {
  if (kind !== 'infer' && kind !== 'memory')
    throw new UsageError(
      `${kind}: an .onnx file is only run; expected 'bench infer ${path}' or 'bench memory ${path}'`,
    );
  if (values.device === 'cuda')
    throw new UsageError(
      '--device: an .onnx file runs on the processor here; expected auto or cpu, received cuda',
    );
  const stranger = values.against?.find((name) => name !== 'onnxruntime');
  if (stranger !== undefined)
    throw new UsageError(
      `--against: an .onnx file can be given to onnxruntime or none, received '${stranger}'`,
    );
  const { describeOnnxWork } = await import('../../bench/onnx-job.ts');
  const { inputSize: side } = readNetworkOptions(values);
  const file = await describeOnnxWork({
    path,
    batch: values.batch,
    size: typeof side === 'number' ? [side, side] : side,
    threads: values.threads ?? availableParallelism(),
  });
  const { compareOnnx } = await import('../../bench/compare-sides.ts');
  const { formatComparison } = await import('../../bench/report.ts');
  const comparison = await compareOnnx(file, await compareOptions(kind, values, ['onnxruntime']));
  return printer(values.json)(comparison, formatComparison);
}

const printer =
  (json = false) =>
  <T>(result: T, text: (result: T) => string): string =>
    json ? `${JSON.stringify(result, null, 2)}\n` : text(result);

async function compareOptions(
  kind: Kind,
  { against, python, tfjs, clock, rounds }: Values,
  usual: readonly PeerName[],
): Promise<CompareOptions> {
  const { defaultPythons: usualPythons } = await import('../../bench/peers.ts');
  return {
    against: against ?? usual,
    pythons: python ?? usualPythons,
    tfjs,
    clock,
    // Memory reaches its peak in the first steps.
    rounds: kind === 'memory' ? Math.min(rounds, 2) : rounds,
    onProgress: (line) => process.stderr.write(`${line}\n`),
  };
}

/** The engine is asked for what 'auto' means here. @throws EngineError if the device is not there. */
async function describeWork(
  { work, options, batch }: Pick<WorkOptions, 'work' | 'options' | 'batch'>,
  values: Values,
): Promise<WorkOptions> {
  const engine = await openEngine(values);
  const precision = choosePrecision(values.precision, engine.facts);
  const { threads, device } = engine.facts;
  await engine.close();
  if (device === 'cuda' && values.clock === 'processor')
    throw new UsageError(
      '--clock: expected wall with --device cuda, received processor: the device has a clock of its own',
    );
  return { work, network: values.network ?? usualNetwork, options, batch, precision, device, threads };
}

/** The same command again in a process that can be told to collect garbage: without it a heap's size says nothing. */
function withGarbageCollector(): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--expose-gc', ...process.argv.slice(1)], {
    encoding: 'utf8',
  });
  process.stderr.write(stderr);
  if (status !== 0) process.exitCode = status ?? 1;
  return stdout;
}

/** `inception bench`: how fast this machine is, against what people use now. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Argument, type Command } from 'commander';
import type { Work, WorkOptions } from '../../bench/job.ts';
import type { PeerName } from '../../bench/peers.ts';
import type { Clock } from '../../bench/side.ts';
import { openData } from '../../data/open-data.ts';
import { addEngineOptions, choosePrecision, type EngineOptions, openEngine } from '../engine-options.ts';
import { addNetworkOptions, readNetworkOptions } from '../network-options.ts';
import { oneOf, UsageError, wholeNumber } from '../usage.ts';

const kinds = ['train', 'infer', 'data', 'memory', 'compile', 'profile'] as const;
type Kind = (typeof kinds)[number];

type Values = EngineOptions & {
  readonly network: string;
  readonly batch: number;
  readonly rounds: number;
  readonly clock: Clock;
  readonly against: readonly PeerName[];
  readonly python?: readonly string[];
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
    .option('--network <network>', "a name of 'inception models'", 'inception-v4')
    .option('--batch <n>', 'pictures in one step', wholeNumber('--batch'), 8)
    .option('--rounds <n>', 'steps of each side', wholeNumber('--rounds'), 7)
    .option(
      '--clock <clock>',
      'wall, or processor: of all threads, for a machine on which others work too',
      oneOf('--clock', ['wall', 'processor']),
      'wall',
    )
    .option(
      '--against <peers>',
      "of pytorch, torch-compile, onnxruntime, tfjs, with commas; 'none' for ours alone",
      parsePeers,
      ['pytorch'],
    )
    .option(
      '--python <paths>',
      'Pythons to look for peers in, with commas (default: python3 and /usr/bin/python3)',
      (text: string) => text.split(','),
    )
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
  inception bench profile --for train --output trace.json`,
    )
    .action(async (kind: Kind, values: Values) => {
      process.stdout.write(await run(kind, values));
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
  const { rounds, batch, json } = values;
  const print = <T>(result: T, text: (result: T) => string): string =>
    json ? `${JSON.stringify(result, null, 2)}\n` : text(result);
  const report = await import('../../bench/report.ts');
  if (kind === 'data') {
    const { measureData } = await import('../../bench/data-rate.ts');
    const { graphOfWork } = await import('../../bench/our-step.ts');
    const { network } = graphOfWork({ network: values.network, options: readNetworkOptions(values) });
    const [height, width] = network.input;
    const dataset = await openData(values.data, 'train');
    return print(await measureData(dataset, { batch, size: [height, width], rounds }), report.formatData);
  }
  const work = await describeWork(kind === 'train' || kind === 'infer' ? kind : values.for, values);
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
  const { compare } = await import('../../bench/compare.ts');
  const { usualPythons } = await import('../../bench/peers.ts');
  const comparison = await compare(work, {
    against: values.against,
    pythons: values.python ?? usualPythons,
    clock: values.clock,
    // Memory reaches its peak in the first steps.
    rounds: kind === 'memory' ? Math.min(rounds, 2) : rounds,
    say: (line) => process.stderr.write(`${line}\n`),
  });
  return print(comparison, report.formatComparison);
}

/** Comparisons are made on the CPU; the engine is asked for what 'auto' means here. */
async function describeWork(work: Work, values: Values): Promise<WorkOptions> {
  const engine = await openEngine({ ...values, device: 'cpu' });
  const precision = choosePrecision(values.precision, engine);
  const { threads } = engine.facts;
  await engine.close();
  const { network, batch } = values;
  return { work, network, options: readNetworkOptions(values), batch, precision, threads };
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

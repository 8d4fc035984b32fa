/**
 * How many images per second become training batches, which must exceed what a step consumes: with the paper's distortions and with crop
 * and mirroring only, alternating with torchvision's loader on the same files.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Dataset } from '../data/dataset.ts';
import { builtProgram } from '../helper-process.ts';
import { type ImagesJob, untimedBatches } from './images-job.ts';
import { Side, type SideCommand } from './side.ts';
import { median } from './statistics.ts';

export interface DataOptions {
  /** As it was given. */
  readonly data: string;
  readonly size: readonly [height: number, width: number];
  readonly batch: number;
  /** Turns of every side. */
  readonly rounds: number;
  readonly threads: number;
  /** Where to look for torchvision; none to measure ours alone. */
  readonly pythons: readonly string[];
}

export interface DataSide {
  /** `ours`, or a peer's name. */
  readonly name: string;
  readonly about: string;
  /** With the paper's colours, besides crops and mirroring. */
  readonly colour: boolean;
  /** By wall time, median of the turns. */
  readonly imagesPerSecond: number;
  /** Milliseconds of one core for an image, of all threads and processes. */
  readonly processorMs: number;
  /** Of these, the main thread's; null where the system does not say. */
  readonly mainMs: number | null;
  /** Fraction of the time that the main thread is busy, if the cores have nothing else to do. */
  readonly mainShare: number | null;
  readonly peakBytes: number | null;
  /** How many times faster ours is, by processor time and by wall time; null for ours. */
  readonly ratio: { readonly processor: number; readonly wall: number } | null;
}

export interface DataRate extends Omit<DataOptions, 'pythons'> {
  readonly sides: readonly DataSide[];
  /** Why torchvision was not measured. */
  readonly missing?: string;
}

/** Batches of a turn, without those that are ready when it begins. */
const turnBatches = 24;

/** Turns that are not counted: until about two thousand images have passed, V8 compiles what the main thread runs. */
const firstTurns = 2;

interface Turn {
  readonly wallMs: number;
  readonly processorMs: number;
  readonly mainMs: number | null;
  readonly peakBytes: number | null;
}

const peerScript = fileURLToPath(new URL('../../src/bench/peers/torchvision-loader.py', import.meta.url));

/** @throws BenchError if a side fails */
export async function measureData(dataset: Dataset, options: DataOptions): Promise<DataRate> {
  const { pythons, ...about } = options;
  const files = await filesOf(dataset);
  const python = files && pythons.find(hasTorchvision);
  const folder = mkdtempSync(join(tmpdir(), 'inception-bench-'));
  const running: { side: Side; colour: boolean; turns: Turn[] }[] = [];
  try {
    for (const colour of [true, false]) {
      const job: ImagesJob = { ...about, files: files ?? [], colour };
      const path = join(folder, `${colour ? 'colour' : 'plain'}.json`);
      writeFileSync(path, JSON.stringify(job));
      for (const command of commands(path, python)) {
        const side = await Side.start(command, { threads: options.threads, clock: 'processor' });
        running.push({ side, colour, turns: [] });
      }
    }
    for (let round = 0; round < firstTurns + options.rounds; round++)
      for (const { side, turns } of running)
        turns.push((await side.ask(`run ${turnBatches}`)) as unknown as Turn);
    // A turn's processor time ends when the next one begins, with what was prepared ahead.
    await wait(500);
    for (const { side, turns } of running) turns.push((await side.ask('run 0')) as unknown as Turn);
    const measured = running.map(({ side, colour, turns }) => ({
      ...{ name: side.name, about: side.about, colour },
      ...figuresOf(turns, options),
    }));
    const sides = measured.map((each): DataSide => {
      const ours = measured.find(({ name, colour }) => name === 'ours' && colour === each.colour);
      const ratio =
        ours === undefined || ours === each
          ? null
          : {
              processor: each.processorMs / ours.processorMs,
              wall: ours.imagesPerSecond / each.imagesPerSecond,
            };
      return { ...each, ratio };
    });
    return { ...about, sides, ...(python === undefined && pythons.length > 0 && { missing: reason(files) }) };
  } finally {
    for (const { side } of running) side.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function* commands(job: string, python: string | undefined): Generator<SideCommand> {
  yield { name: 'ours', command: process.execPath, args: [builtProgram('bench/workers/images'), job] };
  if (python !== undefined) yield { name: 'torchvision', command: python, args: [peerScript, job] };
}

/** The files that torchvision can read too: whole files of JPEG. */
async function filesOf(dataset: Dataset): Promise<string[] | undefined> {
  const files: string[] = [];
  for (let index = 0; index < dataset.length; index++) {
    const encoded = await dataset.encoded?.(index);
    if (!encoded || !('file' in encoded) || encoded.offset !== undefined) return undefined;
    if (!/\.jpe?g$/i.test(encoded.file)) return undefined;
    files.push(encoded.file);
  }
  return files;
}

function hasTorchvision(python: string): boolean {
  const { stdout, status } = spawnSync(python, [peerScript, '-', 'probe'], { encoding: 'utf8' });
  return status === 0 && (JSON.parse(stdout) as { torchvision: string | null }).torchvision !== null;
}

const reason = (files: readonly string[] | undefined): string =>
  files === undefined
    ? 'it is measured on a folder of .jpg files'
    : 'to compare with it: pip install torchvision (0.16 or newer), or name a Python that has it with --python';

/** Of one side, without its first turns. */
function figuresOf(turns: readonly Turn[], { batch, threads }: DataOptions) {
  const counted = turns.slice(firstTurns, -1);
  const [first, last] = [turns[firstTurns] as Turn, turns.at(-1) as Turn];
  const images = counted.length * (turnBatches + untimedBatches) * batch;
  const perImage = (before: number | null, after: number | null) =>
    before === null || after === null ? null : (after - before) / images;
  const processorMs = perImage(first.processorMs, last.processorMs) as number;
  const mainMs = perImage(first.mainMs, last.mainMs);
  return {
    imagesPerSecond: (turnBatches * batch * 1000) / median(counted.map(({ wallMs }) => wallMs)),
    processorMs,
    mainMs,
    mainShare: mainMs === null ? null : mainMs / (processorMs / threads),
    peakBytes: last.peakBytes,
  };
}

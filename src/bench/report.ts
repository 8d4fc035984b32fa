/** Formats results as text. */
import Table from 'cli-table3';
import type { BucketTraffic } from '../engine/engine.ts';
import type { Comparison, SideResult } from './compare-sides.ts';
import type { CompileTimes } from './compile-times.ts';
import type { DataRate } from './data-rate.ts';
import type { WorkOptions } from './job.ts';
import { type Profile, type ProfileRow, perLayer, perOperator } from './profile.ts';
import type { BucketProfile, ReplicasProfile } from './replicas/profile-replicas.ts';

const plain = { style: { head: [], border: [], compact: true } };

export const formatMs = (ms: number): string => (ms >= 100 ? ms.toFixed(0) : ms.toFixed(ms >= 10 ? 1 : 2));

const formatMegabytes = (bytes: number | null): string =>
  bytes === null ? '–' : `${(bytes / 1e6).toFixed(0)} MB`;

/** The table of a comparison, followed by missing peers. */
export function formatComparison({
  work,
  model,
  precision = work.precision,
  clock,
  sides,
  missing,
  leftOut,
  failed,
}: Comparison): string {
  const table = new Table({
    head: ['', 'ms, median', 'quartiles', 'images/s', 'speed-up of ours', 'of the floor', 'peak memory'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    ...plain,
  });
  for (const side of sides) table.push(row(side));
  const [ours] = sides;
  const title = `${work.work} ${work.network} ${describeOptions(work.options)}${work.freeze === undefined ? '' : `frozen up to ${work.freeze} `}batch ${work.batch} ${precision}${model === undefined ? '' : `, weights of ${model}`}, ${work.device === 'cuda' ? 'on CUDA, ' : ''}${work.threads} threads, ${ours?.ms.count} rounds, ${clock} time`;
  const about = sides.map((side) => `${side.name}: ${side.about}${agreement(side)}`);
  const absent = missing.map(({ name, advice }) => `${name} is not installed; ${advice}`);
  const unable = leftOut.map(({ name, reason }) => `${name} is excluded: ${reason}`);
  const broken = failed.map(({ name, reason }) => `${name} failed: ${reason}`);
  return `${[title, table.toString(), ...about, ...absent, ...unable, ...broken].join('\n')}\n`;
}

function row(side: SideResult): string[] {
  const { ms, peakBytes } = side;
  return [
    side.name,
    formatMs(ms.median),
    `${formatMs(ms.low)}–${formatMs(ms.high)}`,
    side.imagesPerSecond.toFixed(2),
    side.name === 'ours' || side.name === 'floor' ? '' : `${side.ratio.toFixed(2)}x`,
    side.ofFloor === null || side.name === 'floor' ? '' : `${(side.ofFloor * 100).toFixed(0)}%`,
    formatMegabytes(peakBytes),
  ];
}

const agreement = ({ name, difference }: SideResult): string =>
  difference === null || name === 'ours' ? '' : `; outputs within ${difference.toPrecision(1)} of ours`;

/** `width=0.25 blocks=1,2,1 ` */
function describeOptions(options: object): string {
  const text = (value: unknown): string =>
    typeof value === 'object' && value !== null ? Object.values(value).join(',') : String(value);
  return Object.entries(options)
    .map(([name, value]) => `${name}=${text(value)} `)
    .join('');
}

export function formatProfile(profile: Profile, { layers }: { layers: number }): string {
  const part = (title: string, rows: readonly ProfileRow[]) => {
    const table = new Table({
      head: [title, 'steps', 'ms', 'fraction'],
      colAligns: ['left', 'right', 'right', 'right'],
      ...plain,
    });
    for (const { name, count, ms, fraction } of rows)
      table.push([name, String(count), ms.toFixed(2), `${(fraction * 100).toFixed(1)}%`]);
    return table.toString();
  };
  const total = profile.microseconds.reduce((sum, value) => sum + value, 0) / 1000;
  const slowest = perLayer(profile).slice(0, layers);
  const operators = perOperator(profile).filter(({ fraction }) => fraction >= 0.0005);
  return `${profile.program.name}: ${formatMs(total)} ms\n${part('operator', operators)}\n${part(`slowest ${slowest.length} layers`, slowest)}\n`;
}

/** What of the communication was hidden, above the profile. */
export function formatReplicas(profile: ReplicasProfile, { layers }: { layers: number }): string {
  const { processes, reduce, batch, stepMs, aloneMs, buckets } = profile;
  const table = new Table({
    head: ['bucket', 'sent, MB', 'begins at, ms', 'communication, ms', 'exposed, ms', 'hidden'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    ...plain,
  });
  const percent = (part: number, whole: number) =>
    whole > 0 ? `${(Math.max(0, Math.min(1, part / whole)) * 100).toFixed(0)}%` : '–';
  const row = (name: string, begins: string, { bytes, busyMs, exposedMs }: Omit<BucketTraffic, 'bucket'>) => [
    ...[name, (bytes / 1e6).toFixed(2), begins, formatMs(busyMs), formatMs(exposedMs)],
    percent(busyMs - exposedMs, busyMs),
  ];
  const total = { bytes: 0, busyMs: 0, exposedMs: 0 };
  for (const each of buckets) {
    for (const name of ['bytes', 'busyMs', 'exposedMs'] as const) total[name] += each[name];
    table.push(row(`${each.bucket}: ${contentOf(each)}`, formatMs(each.wholeMs), each));
  }
  table.push(row('all', '', total));
  const { bytes, busyMs, exposedMs } = total;
  const perSecond = (ms: number) => ((batch * 1000) / ms).toFixed(2);
  const lines = [
    `${processes} processes on this machine, gradients in ${reduce}: a step takes ${formatMs(stepMs)} ms, without communication ${formatMs(aloneMs)} ms; ${perSecond(stepMs)} and ${perSecond(aloneMs)} images/s for each process`,
    `In a step each process sends ${(bytes / 1e6).toFixed(1)} MB. The threads that communicate are busy for ${formatMs(busyMs)} ms, waiting for other processes included; the step waits for ${formatMs(exposedMs)} ms of it, and ${percent(busyMs - exposedMs, busyMs)} is hidden behind the backward pass.`,
    "Two threads communicate, each for its share of the buckets. On a CPU they work on the step's cores, which is why a step can take longer by more than it waits.",
  ];
  return `${lines.join('\n')}\n${table.toString()}\n${formatProfile(profile, { layers })}`;
}

const contentOf = ({ values }: Pick<BucketProfile, 'values'>): string =>
  ({ 'flat/batchStatistics': 'statistics', 'flat/reports': 'loss and errors' })[values] ?? 'gradients';

export function formatCompile(work: WorkOptions, times: CompileTimes): string {
  const { firstCompileMs, compileMs, openMs, steps, firstStepMs, laterStepMs, heapGrowthBytes } = times;
  const heap =
    heapGrowthBytes === null
      ? 'not measured; run node with --expose-gc'
      : `${(heapGrowthBytes / 1024).toFixed(0)} KiB`;
  return `${work.work} ${work.network} batch ${work.batch} ${work.precision}: ${steps} steps
compile      ${formatMs(firstCompileMs)} ms the first time, ${formatMs(compileMs)} ms later
open         ${formatMs(openMs)} ms (store, weights, operators)
first step   ${formatMs(firstStepMs)} ms, ${(firstStepMs / laterStepMs).toFixed(2)} times a later one (${formatMs(laterStepMs)} ms)
heap growth  ${heap}
`;
}

/** The table of `bench data`. */
export function formatData({ data, size, batch, threads, rounds, sides, missing }: DataRate): string {
  const table = new Table({
    head: [
      '',
      'distortions',
      'images/s',
      'ms of a core/image',
      "main thread's",
      'its share',
      'peak memory',
      'speed-up of ours',
      'by wall time',
    ],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
    ...plain,
  });
  for (const { name, colour, imagesPerSecond, processorMs, mainMs, mainShare, peakBytes, ratio } of sides)
    table.push([
      name,
      colour ? 'crop, flip, colours' : 'crop, flip',
      imagesPerSecond.toFixed(0),
      processorMs.toFixed(3),
      mainMs === null ? '–' : mainMs.toFixed(3),
      mainShare === null ? '–' : `${(mainShare * 100).toFixed(1)}%`,
      formatMegabytes(peakBytes),
      ratio === null ? '' : `${ratio.processor.toFixed(2)}x`,
      ratio === null ? '' : `${ratio.wall.toFixed(2)}x`,
    ]);
  const title = `${data} to ${size.join('×')}, batch ${batch}, ${threads} threads, ${rounds} turns`;
  const about = [...new Map(sides.map((side) => [side.name, `${side.name}: ${side.about}`])).values()];
  const absent = missing === undefined ? [] : [`torchvision is not measured; ${missing}`];
  return `${[title, table.toString(), ...about, ...absent].join('\n')}\n`;
}

/** How much memory a process may still take: what the machine has, within the limit of its control group. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { freemem } from 'node:os';
import { promisify } from 'node:util';
import type { Device } from '../../engine/engine.ts';

/** Files of Linux, by path; undefined for one that is not there. */
export type ReadFile = (path: string) => Promise<string | undefined>;

const readSystemFile: ReadFile = (path) => readFile(path, 'utf8').catch(() => undefined);

/** Bytes of an entry in kB. */
function entryOf(meminfo: string, name: string): number {
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo) ?? [];
  return Number(kilobytes ?? 0) * 1024;
}

/** Free bytes under a control group's limit, version 2 or 1; undefined without a limit. */
async function belowLimit(read: ReadFile): Promise<number | undefined> {
  const folder = '/sys/fs/cgroup';
  const limit =
    (await read(`${folder}/memory.max`)) ?? (await read(`${folder}/memory/memory.limit_in_bytes`));
  const used =
    (await read(`${folder}/memory.current`)) ?? (await read(`${folder}/memory/memory.usage_in_bytes`));
  const stat = (await read(`${folder}/memory.stat`)) ?? (await read(`${folder}/memory/memory.stat`)) ?? '';
  if (!limit || !used || limit.trim() === 'max') return undefined;
  // Cached files count as used, and go when memory is needed.
  const [, cached] = /^(?:total_)?inactive_file (\d+)$/m.exec(stat) ?? [];
  return Number(limit) - Number(used) + Number(cached ?? 0);
}

/** Bytes that this process can still take on Linux; undefined on other systems. */
export async function availableOnLinux(read: ReadFile = readSystemFile): Promise<number | undefined> {
  const meminfo = await read('/proc/meminfo');
  if (meminfo === undefined) return undefined;
  const free = entryOf(meminfo, 'MemAvailable') + entryOf(meminfo, 'SwapFree');
  return Math.max(0, Math.min(free, (await belowLimit(read)) ?? free));
}

/** Free bytes of the first CUDA device, by NVIDIA's own tool; undefined where that does not answer. */
async function availableOnCuda(): Promise<number | undefined> {
  const query = ['--query-gpu=memory.free', '--format=csv,noheader,nounits', '--id=0'];
  const answer = await promisify(execFile)('nvidia-smi', query).catch(() => undefined);
  const megabytes = Number.parseInt(answer?.stdout ?? '', 10);
  return Number.isFinite(megabytes) ? megabytes * 2 ** 20 : undefined;
}

/** Bytes that a program can still take on a device; undefined where the device does not say. */
export const availableBytes = async (device: Device): Promise<number | undefined> =>
  device === 'cuda' ? availableOnCuda() : ((await availableOnLinux()) ?? freemem());

export const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 1)} GB`;

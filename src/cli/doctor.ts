/** Checks the machine: what is installed, and how to install what is missing. */
import { existsSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { fashionMnistFolder } from '../data/fashion-mnist/fashion-mnist.ts';
import { setupCommand } from '../engine/addon-path.mjs';

export interface Finding {
  readonly part: string;
  readonly state: 'ok' | 'warning' | 'missing';
  readonly found: string;
  readonly advice?: string;
}

/** All findings, most basic first. Never throws: a failure is a finding. */
export async function examine(): Promise<Finding[]> {
  return [
    nodeVersion(),
    ...(await engine()),
    await instructionSet(),
    await onnxRuntime(),
    await images(),
    await preparation(),
    dataSets(),
    await disk(),
  ];
}

function nodeVersion(): Finding {
  const found = process.versions.node;
  const [major = 0, minor = 0] = found.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return { part: 'Node.js', state: 'ok', found };
  return { part: 'Node.js', state: 'missing', found, advice: 'Node.js 20.19 or newer is needed' };
}

async function engine(): Promise<Finding[]> {
  try {
    const { openTorch } = await import('../engine/torch.ts');
    const torch = openTorch();
    const { libtorch, device, hardware, threads, fastBfloat16, collectives, whyAlone } = torch.facts;
    await torch.close();
    const bfloat16: Finding = fastBfloat16
      ? { part: 'bfloat16', state: 'ok', found: 'supported in hardware; used by --precision auto' }
      : {
          part: 'bfloat16',
          state: 'warning',
          found: 'not supported in hardware; --precision auto uses float32',
          advice: 'AVX512_BF16, AMX or CUDA make training two to six times faster',
        };
    return [
      { part: 'libtorch', state: 'ok', found: `${libtorch} (${await libtorchFile()})` },
      await blas(),
      { part: 'device', state: 'ok', found: `${device}: ${hardware}` },
      { part: 'threads', state: 'ok', found: String(threads) },
      bfloat16,
      collectives
        ? {
            part: 'processes',
            state: 'ok',
            found: `${collectives} connects several, by c10d of this libtorch`,
          }
        : { part: 'processes', state: 'warning', found: 'trains on one only', advice: whyAlone ?? '' },
    ];
  } catch (error) {
    return [
      {
        part: 'libtorch',
        state: 'missing',
        found: (error as Error).message,
        advice: `'${setupCommand}' finds or installs libtorch and builds the addon; .onnx files do not need it`,
      },
    ];
  }
}

/** The path of a shared library loaded into this process, by part of its name. */
async function loadedLibrary(name: string): Promise<string | undefined> {
  const maps = await readFile('/proc/self/maps', 'utf8').catch(() => '');
  return new RegExp(`\\S*${name}\\S*`).exec(maps)?.[0];
}

const libtorchFile = async (): Promise<string> => (await loadedLibrary('libtorch_cpu')) ?? 'unknown location';

async function blas(): Promise<Finding> {
  const part = 'BLAS';
  const found =
    (await loadedLibrary('openblas')) ?? (await loadedLibrary('mkl')) ?? (await loadedLibrary('blas'));
  if (found === undefined) return { part, state: 'ok', found: 'built into libtorch' };
  if (/openblas|mkl/.test(found)) return { part, state: 'ok', found };
  return {
    part,
    state: 'warning',
    found,
    advice: 'a slow BLAS; on Debian: apt-get install libopenblas0-pthread',
  };
}

async function instructionSet(): Promise<Finding> {
  const cpuinfo = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(' ') ?? [];
  const known = ['avx2', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_bf16', 'amx_int8'];
  const found = known.filter((flag) => flags.includes(flag)).join(', ');
  return { part: 'instruction set', state: 'ok', found: found || process.arch };
}

async function onnxRuntime(): Promise<Finding> {
  const part = 'ONNX Runtime';
  const { installCommand, loadRuntime } = await import('../onnx/run/runtime.ts');
  try {
    const { version } = await loadRuntime();
    return {
      part,
      state: 'ok',
      found: `${version}; runs .onnx files, and weights where libtorch is missing`,
    };
  } catch (error) {
    return {
      part,
      state: 'missing',
      found: (error as Error).message,
      advice: installCommand,
    };
  }
}

async function images(): Promise<Finding> {
  try {
    const { default: sharp } = await import('sharp');
    return { part: 'images', state: 'ok', found: `sharp with libvips ${sharp.versions.vips}` };
  } catch (error) {
    return {
      part: 'images',
      state: 'missing',
      found: (error as Error).message.split('\n')[0] ?? '',
      advice: 'npm install sharp',
    };
  }
}

/** Who prepares images for networks. */
async function preparation(): Promise<Finding> {
  const part = 'JPEG';
  const { findImageAddon } = await import('../data/native/image-addon.ts');
  const result = findImageAddon();
  if ('addon' in result) {
    const { threads } = result.addon.facts();
    const found = `libjpeg-turbo (${(await loadedLibrary('libjpeg')) ?? 'built in'}), on ${threads} threads`;
    return { part, state: 'ok', found };
  }
  return {
    part,
    state: 'warning',
    found: `the addon for images: ${result.missing}; sharp decodes, at about a third of the speed`,
    advice: `'${setupCommand}' builds it where libjpeg-turbo's headers are; on Debian and Ubuntu: apt-get install libjpeg-dev`,
  };
}

function dataSets(): Finding {
  if (existsSync(fashionMnistFolder))
    return { part: 'Fashion-MNIST', state: 'ok', found: fashionMnistFolder };
  const advice = 'on Debian and Ubuntu: apt-get install dataset-fashion-mnist';
  return { part: 'Fashion-MNIST', state: 'warning', found: 'not installed', advice };
}

async function disk(): Promise<Finding> {
  const { bavail, bsize } = await statfs(process.cwd());
  const gigabytes = (bavail * bsize) / 1e9;
  const found = `${gigabytes.toFixed(1)} GB free here`;
  if (gigabytes >= 5) return { part: 'disk', state: 'ok', found };
  return {
    part: 'disk',
    state: 'warning',
    found,
    advice: 'a checkpoint of a full network takes about 1 GB, and two are kept',
  };
}

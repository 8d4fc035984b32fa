/** Finds the peers: which Python or folder has which library, and what to install if it is missing. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkOptions } from './job.ts';
import type { SideCommand } from './side.ts';

export const peerNames = ['pytorch', 'torch-compile', 'onnxruntime', 'openvino', 'tfjs'] as const;
export type PeerName = (typeof peerNames)[number];

/** Resolves from src/bench and from dist/bench; files that are not TypeScript are packed as they are. */
const script = (name: string) => fileURLToPath(new URL(`../../src/bench/peers/${name}`, import.meta.url));
const peerScript = script('pytorch.py');

/** Debian's torch belongs to Debian's Python, which need not be the first in the path. */
export const defaultPythons: readonly string[] = ['python3', '/usr/bin/python3'];

const advice: Readonly<Record<PeerName, string>> = {
  pytorch: 'to compare with it: apt-get install python3-torch, or pip install torch',
  'torch-compile': 'to compare with it: pip install torch (2.0 or newer)',
  onnxruntime: 'to compare with it: pip install onnxruntime (and PyTorch, which exports the model)',
  openvino: 'to compare with it: pip install openvino (and PyTorch, which exports the model)',
  tfjs: 'to compare with it: npm install --no-save @tensorflow/tfjs @tensorflow/tfjs-backend-wasm, here or in the folder of --tfjs',
};

const cudaAdvice =
  'to compare with it: pip install a CUDA build of torch, into python3 or the Python of --python';

/** Why a peer cannot do this work, installed or not. */
function exclusionReason(name: PeerName, { work, precision, device }: PeerWork): string | undefined {
  if (name === 'pytorch' || name === 'torch-compile') return undefined;
  if (device === 'cuda') return 'it runs on the CPU here; expected --device cpu';
  if (name === 'onnxruntime' || name === 'openvino')
    return work === 'train' ? "it cannot train here; expected 'bench infer'" : undefined;
  if (work === 'train')
    return "its WebAssembly backend has no gradient of a convolution's filter and cannot train; expected 'bench infer'";
  if (precision !== 'float32') return 'it computes only float32; expected --precision float32';
  return undefined;
}

export interface Python {
  readonly path: string;
  readonly torch?: string;
  readonly onnxruntime?: string;
  readonly openvino?: string;
  readonly compile: boolean;
  /** Whether its torch finds a CUDA device. */
  readonly cuda: boolean;
}

/** The libraries of each Python; a Python that does not start is omitted. */
export function probePythons(paths: readonly string[]): Python[] {
  return paths.flatMap((path) => {
    const { stdout, status } = spawnSync(path, [peerScript, '-', 'probe'], { encoding: 'utf8' });
    if (status !== 0) return [];
    return [{ path, ...(JSON.parse(stdout) as Omit<Python, 'path'>) }];
  });
}

/** The version of TensorFlow.js that Node.js resolves from a folder, if its WebAssembly backend is installed too. */
export function probeTfjs(folder: string): string | undefined {
  const require = createRequire(join(resolve(folder), 'package.json'));
  try {
    require.resolve('@tensorflow/tfjs-backend-wasm');
    return (require('@tensorflow/tfjs/package.json') as { version: string }).version;
  } catch {
    return undefined;
  }
}

type PeerWork = Pick<WorkOptions, 'work' | 'precision' | 'device'>;

export interface Peers {
  readonly found: readonly SideCommand[];
  /** Peers that are not installed, with installation advice. */
  readonly missing: readonly { readonly name: PeerName; readonly advice: string }[];
  /** Peers that cannot do this work. */
  readonly leftOut: readonly { readonly name: PeerName; readonly reason: string }[];
  /** Writes the ONNX file, if a peer that runs one was requested and is installed. */
  readonly exporter: SideCommand | undefined;
}

/**
 * The processes to start for the requested peers. `pythons` are tried in order; TensorFlow.js is resolved from `tfjs` (default:
 * the current folder). `exports`: whether peers that run ONNX files need PyTorch to export one; default true.
 */
export function findPeers(
  requested: readonly PeerName[],
  {
    pythons,
    job,
    work,
    tfjs = '.',
    exports = true,
  }: {
    pythons: readonly Python[];
    job: string;
    work: PeerWork;
    tfjs?: string | undefined;
    exports?: boolean;
  },
): Peers {
  const found: SideCommand[] = [];
  const missing: { name: PeerName; advice: string }[] = [];
  const leftOut: { name: PeerName; reason: string }[] = [];
  const onCuda = work.device === 'cuda';
  const withTorch = pythons.filter(({ torch, cuda }) => torch !== undefined && (cuda || !onCuda));
  const start = (python: Python, kind: string, name: string): SideCommand => ({
    name,
    command: python.path,
    args: [peerScript, job, kind],
  });
  const versions = new Set<string>();
  let exporter: SideCommand | undefined;
  for (const name of requested) {
    const reason = exclusionReason(name, work);
    if (reason !== undefined) {
      leftOut.push({ name, reason });
      continue;
    }
    const countBefore = found.length;
    if (name === 'pytorch') {
      for (const python of withTorch) {
        if (versions.has(python.torch as string)) continue;
        versions.add(python.torch as string);
        found.push(start(python, name, `pytorch ${python.torch}`));
      }
    } else if (name === 'torch-compile') {
      const python = withTorch.find(({ compile }) => compile);
      if (python) found.push(start(python, name, `torch.compile ${python.torch}`));
    } else if (name === 'onnxruntime' || name === 'openvino') {
      const python = pythons.find((each) => each[name] !== undefined);
      const [torch] = withTorch;
      // OpenVINO's versions name their build: 2026.4.1-22202-d21a4e3f0f5.
      const version = python?.[name]?.split('-')[0];
      if (python && (torch || !exports)) found.push(start(python, name, `${name} ${version}`));
      if (python && torch && exports) exporter = start(torch, 'export', 'export');
    } else {
      const version = probeTfjs(tfjs);
      const args = [script('tfjs.mjs'), job, resolve(tfjs)];
      if (version !== undefined) found.push({ name: `tfjs ${version}`, command: process.execPath, args });
    }
    if (found.length === countBefore) missing.push({ name, advice: onCuda ? cudaAdvice : advice[name] });
  }
  return { found, missing, leftOut, exporter };
}

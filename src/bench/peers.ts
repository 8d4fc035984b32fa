/** What can be compared with: which Python has which library, and what to install where it is missing. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SideCommand } from './side.ts';

export const peerNames = ['pytorch', 'torch-compile', 'onnxruntime', 'tfjs'] as const;
export type PeerName = (typeof peerNames)[number];

/** Relative to src/bench and to dist/bench alike. */
const peerScript = fileURLToPath(new URL('../../scripts/bench-peer.py', import.meta.url));

/** Debian's torch belongs to Debian's Python, which need not be the first one in the path. */
export const usualPythons: readonly string[] = ['python3', '/usr/bin/python3'];

const advice: Readonly<Record<PeerName, string>> = {
  pytorch: 'to compare with it: apt-get install python3-torch, or pip install torch',
  'torch-compile': 'to compare with it: pip install torch (2.0 or newer)',
  onnxruntime: 'to compare with it: pip install onnxruntime (and PyTorch, which exports the model)',
  tfjs: 'this bench cannot run it yet; its WebAssembly backend has no filter gradient, so that it cannot train there',
};

export interface Python {
  readonly path: string;
  readonly torch?: string;
  readonly onnxruntime?: string;
  readonly compile: boolean;
}

/** What each Python has; one that does not start is left out, and one library is taken once. */
export function probePythons(paths: readonly string[]): Python[] {
  return paths.flatMap((path) => {
    const { stdout, status } = spawnSync(path, [peerScript, '-', 'probe'], { encoding: 'utf8' });
    if (status !== 0) return [];
    return [{ path, ...(JSON.parse(stdout) as Omit<Python, 'path'>) }];
  });
}

export interface Peers {
  readonly found: readonly SideCommand[];
  /** Peers that are not installed, each with what to do. */
  readonly missing: readonly { readonly name: PeerName; readonly advice: string }[];
  /** Writes the ONNX file, if ONNX Runtime was asked for and found. */
  readonly exporter: SideCommand | undefined;
}

/**
 * The processes to start for the peers that were asked for. `pythons` are tried in their order. `exports`: ONNX Runtime needs
 * PyTorch for its file; default true.
 */
export function findPeers(
  asked: readonly PeerName[],
  { pythons, job, exports = true }: { pythons: readonly Python[]; job: string; exports?: boolean },
): Peers {
  const found: SideCommand[] = [];
  const missing: { name: PeerName; advice: string }[] = [];
  const withTorch = pythons.filter(({ torch }) => torch !== undefined);
  const start = (python: Python, kind: string, name: string): SideCommand => ({
    name,
    command: python.path,
    args: [peerScript, job, kind],
  });
  const versions = new Set<string>();
  let exporter: SideCommand | undefined;
  for (const name of asked) {
    const before = found.length;
    if (name === 'pytorch') {
      for (const python of withTorch) {
        if (versions.has(python.torch as string)) continue;
        versions.add(python.torch as string);
        found.push(start(python, name, `pytorch ${python.torch}`));
      }
    } else if (name === 'torch-compile') {
      const python = withTorch.find(({ compile }) => compile);
      if (python) found.push(start(python, name, `torch.compile ${python.torch}`));
    } else if (name === 'onnxruntime') {
      const python = pythons.find(({ onnxruntime }) => onnxruntime !== undefined);
      const [torch] = withTorch;
      if (python && (torch || !exports)) found.push(start(python, name, `onnxruntime ${python.onnxruntime}`));
      if (python && torch && exports) exporter = start(torch, 'export', 'export');
    }
    if (found.length === before) missing.push({ name, advice: advice[name] });
  }
  return { found, missing, exporter };
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findLibtorch, type Machine } from './find-libtorch.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'libtorch-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Creates a folder with the files by which a libtorch is recognised. */
function libtorchIn(
  name: string,
  { lib = 'lib', version = [2, 4] as number[], extension = 'so' } = {},
): string {
  const prefix = join(folder, name);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(prefix, path)), { recursive: true });
    writeFileSync(join(prefix, path), text);
  };
  write('include/ATen/ATen.h', '');
  const lines = ['MAJOR', 'MINOR'].map((part, index) => `#define TORCH_VERSION_${part} ${version[index]}\n`);
  if (version.length > 0) write('include/torch/csrc/api/include/torch/version.h', lines.join(''));
  write(`${lib}/libtorch_cpu.${extension}`, '');
  return prefix;
}

const machine = (changes: Partial<Machine>): Machine => ({
  env: {},
  platform: 'linux',
  pythonTorch: () => undefined,
  brewTorch: () => undefined,
  system: join(folder, 'usr'),
  ...changes,
});

describe('the libtorch to build against', () => {
  it('is that of LIBTORCH, else Python’s, else the system’s', () => {
    const [named, python] = [libtorchIn('named'), libtorchIn('python')];
    const system = libtorchIn('usr', { lib: 'lib/x86_64-linux-gnu', version: [1, 13] });
    const pythonTorch = () => python;
    expect(findLibtorch(machine({ env: { LIBTORCH: named }, pythonTorch, system }))).toEqual({
      origin: `LIBTORCH=${named}`,
      include: join(named, 'include'),
      lib: join(named, 'lib'),
      version: '2.4',
      isSystem: false,
    });
    expect(findLibtorch(machine({ pythonTorch, system }))?.origin).toBe(`Python's torch, ${python}`);
    expect(findLibtorch(machine({ system }))).toMatchObject({
      lib: join(system, 'lib/x86_64-linux-gnu'),
      version: '1.13',
      isSystem: true,
    });
  });

  it('is not Python’s if its torch has no headers, as on Debian', () => {
    const pythonTorch = () => join(folder, 'dist-packages/torch');
    const system = libtorchIn('usr', { lib: 'lib/aarch64-linux-gnu' });
    expect(findLibtorch(machine({ pythonTorch, system }))?.isSystem).toBe(true);
  });

  it('on Fedora has headers in Python’s torch and libraries in the system’s folder', () => {
    const python = libtorchIn('usr/lib64/python3/site-packages/torch', { lib: '../../..' });
    expect(findLibtorch(machine({ pythonTorch: () => python }))).toMatchObject({
      include: join(python, 'include'),
      lib: join(folder, 'usr/lib64'),
      isSystem: false,
    });
  });

  it('is Homebrew’s on macOS', () => {
    const brew = libtorchIn('opt/pytorch', { extension: 'dylib' });
    const mac = machine({ platform: 'darwin', brewTorch: () => brew });
    expect(findLibtorch(mac)?.origin).toBe(`Homebrew's pytorch, ${brew}`);
  });

  it('is undefined if none is installed', () => {
    expect(findLibtorch(machine({}))).toBeUndefined();
  });

  it('is refused if LIBTORCH is wrong, without falling back to another', () => {
    const system = libtorchIn('usr');
    expect(() => findLibtorch(machine({ env: { LIBTORCH: '/nowhere' }, system }))).toThrow(
      "LIBTORCH=/nowhere: expected the folder of an unpacked libtorch or of Python's torch, with include/ATen/ATen.h and lib/libtorch_cpu.so; the folder does not exist",
    );
    expect(() => findLibtorch(machine({ env: { LIBTORCH: folder }, system }))).toThrow(
      'lib/libtorch_cpu.so; these files are missing',
    );
  });

  it('is refused without a version header', () => {
    const system = libtorchIn('usr', { version: [] });
    expect(() => findLibtorch(machine({ system }))).toThrow(
      `${join(system, 'include')}: expected torch/headeronly/version.h or torch/csrc/api/include/torch/version.h with the version of libtorch (1.13 or newer); neither exists`,
    );
  });
});

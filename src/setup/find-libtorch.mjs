/** Finds the libtorch to build against: the first of `LIBTORCH`, Python's torch, Homebrew's and the system's. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { outputOf, SetupError } from './run-command.mjs';

/**
 * @typedef {object} Libtorch
 * @property {string} origin where it was found, in words
 * @property {string} include folder of ATen/ATen.h
 * @property {string} lib folder of libtorch_cpu
 * @property {string} version as in its header, such as 2.4
 * @property {boolean} isSystem whether it is the distribution's, whose oneDNN is the one that libtorch loads
 */

/**
 * @typedef {object} Machine the environment to search; tests replace it
 * @property {NodeJS.ProcessEnv} env
 * @property {string} platform
 * @property {() => string | undefined} pythonTorch folder of the torch package that Python would import
 * @property {() => string | undefined} brewTorch Homebrew's prefix of pytorch
 * @property {string} system prefix of the system's headers and libraries
 */

const header = 'ATen/ATen.h';
/** Finds the package without importing it, which would take seconds. */
const printTorchFolder =
  'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0])';

/** @type {Machine} */
const thisMachine = {
  env: process.env,
  platform: process.platform,
  pythonTorch: () =>
    outputOf('python3', ['-c', printTorchFolder]) ?? outputOf('python', ['-c', printTorchFolder]),
  brewTorch: () => outputOf('brew', ['--prefix', 'pytorch']),
  system: '/usr',
};

/**
 * @param {Partial<Machine>} [machine]
 * @returns {Libtorch | undefined} undefined if there is none
 * @throws {SetupError} if `LIBTORCH` is not the folder of a libtorch
 */
export function findLibtorch(machine = {}) {
  const { env, platform, pythonTorch, brewTorch, system } = { ...thisMachine, ...machine };
  const extension = platform === 'darwin' ? 'dylib' : 'so';
  /** @param {string} folder */
  const holdsLibrary = (folder) => existsSync(join(folder, `libtorch_cpu.${extension}`));
  const systemFolders = () => {
    const lib = join(system, 'lib');
    const inside = existsSync(lib) ? readdirSync(lib).filter((name) => name.endsWith('-linux-gnu')) : [];
    return [...inside.map((name) => join(lib, name)), join(system, 'lib64'), lib];
  };
  /** @param {string} origin @param {string} prefix @param {readonly string[]} libs @returns {Libtorch | undefined} */
  const libtorchIn = (origin, prefix, libs) => {
    const include = join(prefix, 'include');
    const lib = libs.find(holdsLibrary);
    if (lib === undefined || !existsSync(join(include, header))) return undefined;
    return { origin, include, lib, version: versionIn(include), isSystem: prefix === system };
  };

  const folder = env.LIBTORCH;
  if (folder) {
    const libtorch = libtorchIn(`LIBTORCH=${folder}`, folder, [join(folder, 'lib')]);
    if (libtorch) return libtorch;
    throw new SetupError(
      `LIBTORCH=${folder}: expected the folder of an unpacked libtorch or of Python's torch, with include/${header} and lib/libtorch_cpu.${extension}; ${existsSync(folder) ? 'these files are missing' : 'the folder does not exist'}`,
    );
  }
  const python = pythonTorch();
  // Fedora's headers are in Python's package, its libraries in the system's folder; Debian's python3-torch has no headers.
  const fromPython =
    python && libtorchIn(`Python's torch, ${python}`, python, [join(python, 'lib'), ...systemFolders()]);
  if (fromPython) return fromPython;
  const brew = platform === 'darwin' ? brewTorch() : undefined;
  const fromBrew = brew && libtorchIn(`Homebrew's pytorch, ${brew}`, brew, [join(brew, 'lib')]);
  if (fromBrew) return fromBrew;
  return libtorchIn("the system's libtorch", system, systemFolders());
}

/** @param {string} include */
function versionIn(include) {
  const files = ['torch/headeronly/version.h', 'torch/csrc/api/include/torch/version.h'];
  const file = files.map((name) => join(include, name)).find((path) => existsSync(path));
  const text = file ? readFileSync(file, 'utf8') : '';
  const parts = ['MAJOR', 'MINOR'].map(
    (part) => new RegExp(`define TORCH_VERSION_${part} (\\d+)`).exec(text)?.[1],
  );
  if (parts.includes(undefined)) {
    throw new SetupError(
      `${include}: expected ${files.join(' or ')} with the version of libtorch (1.13 or newer); neither exists`,
    );
  }
  return parts.join('.');
}

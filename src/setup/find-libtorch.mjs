/** Which libtorch the addon is built against: the first of `LIBTORCH`, Python's torch, Homebrew's, the system's own. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { outputOf, SetupError } from './run-command.mjs';

/**
 * @typedef {object} Libtorch
 * @property {string} origin in words
 * @property {string} include folder of ATen/ATen.h
 * @property {string} lib folder of libtorch_cpu
 * @property {string} version as its header says, like 2.4
 * @property {boolean} isSystem of the distribution, so that its oneDNN is the one that libtorch itself loads
 */

/**
 * @typedef {object} Machine what is looked at; other values are for tests
 * @property {NodeJS.ProcessEnv} env
 * @property {string} platform
 * @property {() => string | undefined} pythonTorch folder of the package torch that Python would import
 * @property {() => string | undefined} brewTorch Homebrew's prefix of pytorch
 * @property {string} system prefix of the system's headers and libraries
 */

const header = 'ATen/ATen.h';
/** Found without importing it, which would take seconds. */
const askPython =
  'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0])';

/** @type {Machine} */
const thisMachine = {
  env: process.env,
  platform: process.platform,
  pythonTorch: () => outputOf('python3', ['-c', askPython]) ?? outputOf('python', ['-c', askPython]),
  brewTorch: () => outputOf('brew', ['--prefix', 'pytorch']),
  system: '/usr',
};

/**
 * @param {Partial<Machine>} [machine]
 * @returns {Libtorch | undefined} undefined where there is none
 * @throws {SetupError} if `LIBTORCH` names a folder that is no libtorch
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
  const within = (origin, prefix, libs) => {
    const include = join(prefix, 'include');
    const lib = libs.find(holdsLibrary);
    if (lib === undefined || !existsSync(join(include, header))) return undefined;
    return { origin, include, lib, version: versionIn(include), isSystem: prefix === system };
  };

  const told = env.LIBTORCH;
  if (told) {
    const libtorch = within(`LIBTORCH=${told}`, told, [join(told, 'lib')]);
    if (libtorch) return libtorch;
    throw new SetupError(
      `LIBTORCH=${told}: expected the folder of an unpacked libtorch or of Python's torch, with include/${header} and lib/libtorch_cpu.${extension}; ${existsSync(told) ? 'they are not there' : 'there is no such folder'}`,
    );
  }
  const python = pythonTorch();
  // Fedora's headers lie in Python's package, its libraries with the system's; Debian's python3-torch has no headers.
  const ofPython =
    python && within(`Python's torch, ${python}`, python, [join(python, 'lib'), ...systemFolders()]);
  if (ofPython) return ofPython;
  const brew = platform === 'darwin' ? brewTorch() : undefined;
  const ofBrew = brew && within(`Homebrew's pytorch, ${brew}`, brew, [join(brew, 'lib')]);
  if (ofBrew) return ofBrew;
  return within("the system's libtorch", system, systemFolders());
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
      `${include}: expected ${files.join(' or ')} with the version of libtorch (1.13 or newer); this libtorch has none`,
    );
  }
  return parts.join('.');
}

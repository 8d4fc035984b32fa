/** Builds the addon with cmake and puts it where the engine looks for it. */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { addonInCache, addonInPackage, addonName, isCheckout, packageRoot } from '../engine/addon-path.mjs';
import { fingerprint } from './fingerprint.mjs';
import { outputOf, run, SetupError, say } from './run-command.mjs';

/** @typedef {import('./find-libtorch.mjs').Libtorch} Libtorch */

/**
 * Builds the addon against a libtorch, unless it is built for that already.
 * @param {Libtorch} libtorch
 * @param {{ force?: boolean }} [options]
 * @returns {string} where it is
 * @throws {SetupError} if it cannot be built or what is built does not load
 */
export function buildAddon(libtorch, { force = false } = {}) {
  const includes = nodeApiIncludes();
  const now = fingerprint(
    packageRoot,
    ['native'],
    [
      JSON.stringify(libtorch),
      outputOf('dpkg-query', ['-W', 'libtorch-dev', 'libdnnl-dev']) ?? '',
      ...includes,
    ],
  );
  const targets = places();
  const built = targets.filter((path) => stampOf(path) === now);
  const [first] = built;
  if (first !== undefined && !force) {
    // npm has written the package's folder anew: the cache still has what was built.
    for (const path of targets.filter((each) => !built.includes(each))) put(first, path, now);
    checkAddon(first);
    return first;
  }
  say(`Building the addon, which takes a minute or two`);
  const begin = Date.now();
  // A checkout's folder is kept, so that only what changed is compiled again.
  const folder = isCheckout ? dirname(addonInPackage) : mkdtempSync(join(tmpdir(), 'inception-build-'));
  try {
    // cmake remembers the libtorch of the last build, whatever it is given now.
    rmSync(join(folder, 'CMakeCache.txt'), { force: true });
    run('cmake', [
      '-S',
      join(packageRoot, 'native'),
      '-B',
      folder,
      '-DCMAKE_BUILD_TYPE=Release',
      `-DLIBTORCH_INCLUDE=${libtorch.include}`,
      `-DLIBTORCH_LIB=${libtorch.lib}`,
      `-DLIBTORCH_VERSION=${libtorch.version}`,
      `-DLINK_ONEDNN=${libtorch.isSystem ? 'ON' : 'OFF'}`,
      `-DNODE_API_INCLUDES=${includes.join(';')}`,
    ]);
    run('cmake', ['--build', folder, '--parallel', String(availableParallelism())]);
    const result = join(folder, addonName);
    checkAddon(result);
    for (const path of targets) put(result, path, now);
  } finally {
    if (!isCheckout) rmSync(folder, { recursive: true, force: true });
  }
  say(`addon: built in ${((Date.now() - begin) / 1000).toFixed(1)} s`);
  return /** @type {string} */ (targets[0]);
}

/** Headers of Node-API: two packages that npm has put wherever it puts packages. */
function nodeApiIncludes() {
  const require = createRequire(import.meta.url);
  return [
    ['node-addon-api', ''],
    ['node-api-headers', 'include'],
  ].map(([name, folder]) => {
    try {
      return join(dirname(require.resolve(`${name}/package.json`)), folder ?? '');
    } catch (error) {
      throw new SetupError(
        `the package ${name} is missing; npm installs it with inception-networks: ${isCheckout ? 'npm ci' : 'npm install inception-networks'}`,
        { cause: error },
      );
    }
  });
}

/** Where the addon is to lie: in a package's folder if it may be written, and in the user's cache. */
function places() {
  if (isCheckout) return [addonInPackage];
  try {
    accessSync(packageRoot, constants.W_OK);
    return [addonInPackage, addonInCache()];
  } catch {
    return [addonInCache()];
  }
}

/** @param {string} addon */
const stampFile = (addon) => join(dirname(addon), 'built-for');

/** @param {string} addon */
const stampOf = (addon) =>
  existsSync(addon) && existsSync(stampFile(addon)) ? readFileSync(stampFile(addon), 'utf8') : '';

/**
 * A running process may have the old file mapped: it is replaced, never written over.
 * @param {string} from @param {string} to @param {string} stamp
 */
function put(from, to, stamp) {
  mkdirSync(dirname(to), { recursive: true });
  if (from !== to) {
    copyFileSync(from, `${to}.new`);
    renameSync(`${to}.new`, to);
  }
  writeFileSync(stampFile(to), stamp);
}

/** Loads the addon in a process of its own: a library that is missing shows here and not at the first training. @param {string} addon */
function checkAddon(addon) {
  const { status, stderr, signal } = spawnSync(
    process.execPath,
    ['-e', 'require(process.argv[1]).facts()', addon],
    {
      encoding: 'utf8',
    },
  );
  if (status === 0) return;
  const reason =
    /^(?:\w*Error): .*$/m.exec(stderr)?.[0] ?? (signal ? `it ended by ${signal}` : stderr.trim());
  throw new SetupError(
    `the addon was built, but does not load: ${reason}\nIs that libtorch whole, and for this processor? LIBTORCH=/path/to/libtorch names another.`,
  );
}

/** Builds the addons with cmake and installs them where the engine and the loader of images look for them. */
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
import {
  addonInCache,
  addonInPackage,
  addonName,
  imageAddonName,
  isCheckout,
  packageRoot,
} from '../engine/addon-path.mjs';
import { fingerprint } from './fingerprint.mjs';
import { outputOf, run, SetupError, say } from './run-command.mjs';
import { hasGlooHeaders, hasJpegHeaders } from './system-packages.mjs';

/** @typedef {import('./find-libtorch.mjs').Libtorch} Libtorch */

/**
 * Builds the addon of the engine against a libtorch, and that for images where libjpeg-turbo's headers are, unless they are up to date.
 * @param {Libtorch} libtorch
 * @param {{ force?: boolean }} [options]
 * @returns {{ path: string, hasImages: boolean }} where the engine's is, and whether there is one for images
 * @throws {SetupError} if it cannot be built or does not load
 */
export function buildAddon(libtorch, { force = false } = {}) {
  const includes = nodeApiIncludes();
  const stamp = fingerprint(
    packageRoot,
    ['native'],
    [
      JSON.stringify(libtorch),
      // One by one: a question fails where one of its packages is unknown.
      ...['libtorch-dev', 'libdnnl-dev', 'libjpeg62-turbo-dev', 'libgloo-dev'].map(
        (name) => outputOf('dpkg-query', ['-W', name]) ?? '',
      ),
      String(hasJpegHeaders()),
      String(hasGlooHeaders()),
      ...includes,
    ],
  );
  const targets = targetPaths();
  const built = targets.filter((path) => stampOf(path) === stamp);
  const [first] = built;
  if (first !== undefined && !force) {
    // npm has reinstalled the package: the cache still has the addon.
    for (const path of targets.filter((target) => !built.includes(target))) install(first, path, stamp);
    checkAddon(first);
    return { path: first, hasImages: existsSync(imagesBeside(first)) };
  }
  say(`Building the addon; this takes about a minute`);
  const begin = Date.now();
  // The build folder of a checkout is kept for incremental builds.
  const folder = isCheckout ? dirname(addonInPackage) : mkdtempSync(join(tmpdir(), 'inception-build-'));
  try {
    // cmake caches the libtorch of the last build and would ignore a new one.
    rmSync(join(folder, 'CMakeCache.txt'), { force: true });
    run('cmake', configureArguments(libtorch, folder));
    run('cmake', ['--build', folder, '--parallel', String(availableParallelism())]);
    const result = join(folder, addonName);
    checkAddon(result);
    // That of an earlier build, where the headers have gone.
    if (!isConfiguredForImages(folder)) rmSync(imagesBeside(result), { force: true });
    if (existsSync(imagesBeside(result))) checkAddon(imagesBeside(result));
    for (const path of targets) install(result, path, stamp);
  } finally {
    if (!isCheckout) rmSync(folder, { recursive: true, force: true });
  }
  say(`addon: built in ${((Date.now() - begin) / 1000).toFixed(1)} s`);
  const [path] = /** @type {[string]} */ (targets);
  return { path, hasImages: existsSync(imagesBeside(path)) };
}

/** @param {string} addon */
const imagesBeside = (addon) => join(dirname(addon), imageAddonName);

/** Whether cmake found what the addon for images needs. @param {string} folder */
const isConfiguredForImages = (folder) =>
  /^has_partial_decoding:INTERNAL=1$/m.test(readFileSync(join(folder, 'CMakeCache.txt'), 'utf8'));

/**
 * Arguments of cmake that configure a build of the addon in a folder.
 * @param {Libtorch} libtorch @param {string} folder
 */
export const configureArguments = (libtorch, folder) => [
  '-S',
  join(packageRoot, 'native'),
  '-B',
  folder,
  '-DCMAKE_BUILD_TYPE=Release',
  `-DLIBTORCH_INCLUDE=${libtorch.include}`,
  `-DLIBTORCH_LIB=${libtorch.lib}`,
  `-DLIBTORCH_VERSION=${libtorch.version}`,
  `-DLINK_ONEDNN=${libtorch.isSystem ? 'ON' : 'OFF'}`,
  `-DNODE_API_INCLUDES=${nodeApiIncludes().join(';')}`,
];

/** Include folders of Node-API, from two npm packages. */
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
        `the package ${name} is missing; it is a dependency of inception-networks, installed by ${isCheckout ? 'npm ci' : 'npm install inception-networks'}`,
        { cause: error },
      );
    }
  });
}

/** Where to install the addon: in the package's folder if it is writable, and in the user's cache. */
function targetPaths() {
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
 * Replaces the file by renaming: a running process may have the old one mapped.
 * @param {string} source @param {string} target @param {string} stamp
 */
function install(source, target, stamp) {
  mkdirSync(dirname(target), { recursive: true });
  if (source !== target) {
    replace(source, target);
    if (existsSync(imagesBeside(source))) replace(imagesBeside(source), imagesBeside(target));
    else rmSync(imagesBeside(target), { force: true });
  }
  writeFileSync(stampFile(target), stamp);
}

/** @param {string} source @param {string} target */
function replace(source, target) {
  copyFileSync(source, `${target}.new`);
  renameSync(`${target}.new`, target);
}

/** Loads the addon in a separate process, so that a missing library is reported now. @param {string} addon */
function checkAddon(addon) {
  const { status, stderr, signal } = spawnSync(
    process.execPath,
    ['-e', 'require(process.argv[1]).facts()', addon],
    {
      encoding: 'utf8',
    },
  );
  if (status === 0) return;
  const reason = /^(?:\w*Error): .*$/m.exec(stderr)?.[0] ?? (signal ? `killed by ${signal}` : stderr.trim());
  throw new SetupError(
    `the addon was built, but does not load: ${reason}\nCheck that this libtorch is complete and built for this processor; LIBTORCH=/path/to/libtorch selects another.`,
  );
}

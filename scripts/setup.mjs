// Sets up a checkout: npm packages, system packages, the native addon, the compiled TypeScript, the browser application. What an
// installed package needs too is in src/setup/ ('inception setup'). Plain JavaScript without dependencies, because it runs before
// they are installed. Fast if there is nothing to do.
// --without-browser omits Chromium, which only the tests of the browser application need; --engine-only omits everything but npm
// packages, addon and TypeScript, for a machine where the rest exists or is not needed (scripts/cuda.mjs).
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../src/engine/addon-path.mjs';
import { findLibtorch } from '../src/setup/find-libtorch.mjs';
import { fingerprint } from '../src/setup/fingerprint.mjs';
import { run, SetupError, say } from '../src/setup/run-command.mjs';
import { setupAddon } from '../src/setup/setup-addon.mjs';
import { packageManagers } from '../src/setup/system-packages.mjs';

const stamps = join(packageRoot, '.setup');

/** Runs a step unless its stamp has the same fingerprint and its result exists. */
function part(name, { now, result, command, args, advice, clear }) {
  const stamp = join(stamps, name);
  const before = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
  if (before === now && existsSync(join(packageRoot, result))) return;
  const begin = Date.now();
  if (clear) rmSync(join(packageRoot, clear), { recursive: true, force: true });
  run(command, args, { cwd: packageRoot, advice });
  mkdirSync(stamps, { recursive: true });
  writeFileSync(stamp, now);
  say(`${name}: done in ${((Date.now() - begin) / 1000).toFixed(1)} s`);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new SetupError(`Node.js 20.19 or newer is needed, this is ${process.versions.node}`);
  }
}

function npmPackages() {
  part('npm packages', {
    now: fingerprint(packageRoot, ['package.json', 'package-lock.json']),
    result: 'node_modules/typescript/package.json',
    command: 'npm',
    args: ['ci', '--no-audit', '--no-fund'],
    advice: 'Is the npm registry reachable?',
  });
}

/** Debian packages for the demo, the tests and the bench, in addition to those of an installed package. */
function packagesOfCheckout() {
  if (process.argv.includes('--engine-only')) return [];
  return [
    'dataset-fashion-mnist',
    ...(findLibtorch()?.isSystem === false ? [] : packageManagers.debian.libtorch),
    ...(process.argv.includes('--without-browser') ? [] : ['chromium']),
  ];
}

function typescript() {
  part('TypeScript', {
    now: fingerprint(packageRoot, ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']),
    result: 'dist/cli/main.js',
    // Output of deleted sources would end up in the package.
    clear: 'dist',
    command: process.execPath,
    args: ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'],
  });
}

/** The sources of the page: its own, and the parts of the package that it shares. */
const pageSources = ['networks', 'graph', 'diagram', 'images', 'onnx', 'model', 'train', 'dashboard'];

function browserApplication() {
  part('browser application', {
    now: fingerprint(packageRoot, [
      'web/src',
      'web/public',
      'web/index.html',
      'web/vite.config.ts',
      'web/package.json',
      'package-lock.json',
      ...pageSources.map((folder) => `src/${folder}`),
      'src/option.ts',
    ]),
    result: 'web/dist/index.html',
    command: process.execPath,
    args: ['node_modules/vite/bin/vite.js', 'build', 'web'],
  });
}

try {
  checkNode();
  npmPackages();
  // Running this in a checkout implies consent to what README describes, so that no question is asked.
  await setupAddon({ yes: true, also: packagesOfCheckout() });
  typescript();
  if (!process.argv.includes('--engine-only')) browserApplication();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`setup: ${error.message}`);
  process.exitCode = 1;
}

// Brings a checkout to where everything runs: npm packages, system packages, the native addon, the compiled TypeScript, the
// browser application. What an installed package needs too is in src/setup/ ('inception setup').
// Plain JavaScript without dependencies, because it runs before there are any. Quick when there is nothing to do.
// --without-browser leaves out Chromium, which only the tests of the browser application need; --engine-only leaves out
// everything but npm packages, addon and TypeScript, for a machine where the rest is there or not wanted (scripts/cuda.mjs).
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../src/engine/addon-path.mjs';
import { findLibtorch } from '../src/setup/find-libtorch.mjs';
import { fingerprint } from '../src/setup/fingerprint.mjs';
import { run, SetupError, say } from '../src/setup/run-command.mjs';
import { setupAddon } from '../src/setup/setup-addon.mjs';
import { packageManagers } from '../src/setup/system-packages.mjs';

const stamps = join(packageRoot, '.setup');

/** Does a part unless its stamp says that it was done for the same fingerprint and its result is there. */
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

/** More of Debian's packages than an installed package needs: for the demo, the tests and the bench. */
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
    // What a source that is gone has left would be packed.
    clear: 'dist',
    command: process.execPath,
    args: ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'],
  });
}

/** What the page is made of: its own files, and the parts of the package that it shares. */
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
  // Who runs this in a checkout has asked for what README promises: no further question.
  await setupAddon({ yes: true, also: packagesOfCheckout() });
  typescript();
  if (!process.argv.includes('--engine-only')) browserApplication();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`setup: ${error.message}`);
  process.exitCode = 1;
}

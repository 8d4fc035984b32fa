// Brings a checkout to where everything runs: system packages, npm packages, the native addon, the compiled TypeScript,
// the browser application.
// Plain JavaScript without dependencies, because it runs before there are any. Quick when there is nothing to do.
// --without-browser leaves out Chromium, which only the tests of the browser application need; --engine-only leaves out
// everything but npm packages, addon and TypeScript, for a machine where the rest is there or not wanted (scripts/cuda.mjs).
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamps = join(root, '.setup');

class SetupError extends Error {}

const say = (line) => process.stderr.write(`${line}\n`);

/** Runs a command quietly; on failure shows the end of what it said. */
function run(command, args, { advice, env = {} } = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (result.status === 0) return result.stdout;
  const said = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`;
  const end = said.trimEnd().split('\n').slice(-25).join('\n');
  throw new SetupError(`'${[command, ...args].join(' ')}' failed:\n${end}${advice ? `\n${advice}` : ''}`);
}

const succeeds = (command, args) => spawnSync(command, args, { cwd: root, stdio: 'ignore' }).status === 0;

/** A hash over files and texts, by which a part knows that nothing has changed. */
function fingerprint(paths, ...texts) {
  const hash = createHash('sha256');
  const add = (path) => {
    const full = join(root, path);
    if (!existsSync(full)) return;
    const entries = readdirSync(full, { withFileTypes: true, recursive: false });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) add(inside);
      else hash.update(inside).update(readFileSync(join(root, inside)));
    }
  };
  for (const path of paths) {
    if (existsSync(join(root, path)) && path.includes('.')) hash.update(readFileSync(join(root, path)));
    else add(path);
  }
  for (const text of texts) hash.update(text);
  return hash.digest('hex');
}

/** Does a part unless its stamp says that it was done for the same fingerprint and its result is there. */
function part(name, { now, result, work }) {
  const stamp = join(stamps, name);
  const before = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
  if (before === now && existsSync(join(root, result))) return;
  const begin = Date.now();
  work();
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

/** A libtorch that was brought along takes the place of Debian's. */
const ownLibtorch = () =>
  process.env.LIBTORCH !== undefined ||
  succeeds('python3', ['-c', 'import torch, os; assert os.path.isdir(torch.utils.cmake_prefix_path)']);

function systemPackages() {
  if (process.platform !== 'linux' || !succeeds('dpkg-query', ['--version'])) {
    const missing = ['cmake', 'make'].filter((tool) => !succeeds(tool, ['--version']));
    if (missing.length > 0) {
      throw new SetupError(
        `needed and not found: ${missing.join(', ')}; on macOS: brew install cmake pytorch libomp`,
      );
    }
    return;
  }
  const wanted = [
    'cmake',
    'make',
    'g++',
    'dataset-fashion-mnist',
    'libtorch-dev',
    'libdnnl-dev',
    'libopenblas0-pthread',
  ];
  if (!process.argv.includes('--without-browser')) wanted.push('chromium');
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const installed = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...wanted], {
    encoding: 'utf8',
  });
  const present = new Set(
    installed.stdout.split('\n').flatMap((line) => (line.endsWith(' installed') ? [line.split(' ')[0]] : [])),
  );
  let missing = wanted.filter((name) => !present.has(name));
  if (missing.some((name) => name.startsWith('lib')) && ownLibtorch()) {
    missing = missing.filter((name) => !name.startsWith('lib'));
  }
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  say(`These Debian packages are needed and missing: ${missing.join(', ')}.`);
  const isRoot = process.getuid?.() === 0;
  const canSudo = !isRoot && succeeds('sudo', ['-n', 'true']);
  if (!isRoot && !canSudo) {
    throw new SetupError(
      `Installing them needs root. Type:\n  sudo apt-get update && sudo ${command}\nand begin again.`,
    );
  }
  const begin = Date.now();
  const prefix = isRoot ? [] : ['sudo', '-n'];
  const apt = (...args) => {
    const [program, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    return run(program, rest, { advice: `You can do it by hand: ${isRoot ? '' : 'sudo '}${command}` });
  };
  say(`Installing them now: ${isRoot ? '' : 'sudo '}${command}`);
  apt('update', '-qq');
  apt('install', '-y', '-qq', '--no-install-recommends', ...missing);
  say(`Debian packages: done in ${((Date.now() - begin) / 1000).toFixed(1)} s`);
}

function npmPackages() {
  part('npm packages', {
    now: fingerprint(['package.json', 'package-lock.json']),
    result: 'node_modules/typescript/package.json',
    work: () => run('npm', ['ci', '--no-audit', '--no-fund'], { advice: 'Is the npm registry reachable?' }),
  });
}

function nativeAddon() {
  part('native addon', {
    now: fingerprint(['native', 'package-lock.json'], process.env.LIBTORCH ?? '', libtorchVersion()),
    result: 'build/inception_native.node',
    work: () => {
      // It remembers the libtorch that it found first, whatever LIBTORCH says now.
      rmSync(join(root, 'build/CMakeCache.txt'), { force: true });
      run('cmake', ['-S', 'native', '-B', 'build', '-DCMAKE_BUILD_TYPE=Release']);
      run('cmake', ['--build', 'build', '--parallel', String(availableParallelism())]);
    },
  });
}

/** So that another libtorch, or oneDNN's headers where there were none, means another build. */
const libtorchVersion = () =>
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  spawnSync('dpkg-query', ['-W', '-f', '${Package} ${Version}\n', 'libtorch-dev', 'libdnnl-dev'], {
    encoding: 'utf8',
  }).stdout ?? '';

function typescript() {
  part('TypeScript', {
    now: fingerprint(['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']),
    result: 'dist/cli/main.js',
    work: () => run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']),
  });
}

/** What the page is made of: its own files, and the parts of the package that it shares. */
const pageSources = [
  'networks',
  'graph',
  'diagram',
  'images',
  'onnx',
  'model',
  'train',
  'dashboard',
  'errors.ts',
];

function browserApplication() {
  part('browser application', {
    now: fingerprint([
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
    work: () => run(process.execPath, ['node_modules/vite/bin/vite.js', 'build', 'web']),
  });
}

try {
  const everything = !process.argv.includes('--engine-only');
  checkNode();
  if (everything) systemPackages();
  npmPackages();
  nativeAddon();
  typescript();
  if (everything) browserApplication();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`setup: ${error.message}`);
  process.exitCode = 1;
}

// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer and runs tests with it, in a copy of the checkout:
//   node scripts/sanitize.mjs [TEST FILE OR FOLDER…]     default: src/engine
// The first report ends the tests with its stack. libtorch, oneDNN and Node.js are not instrumented: what they do with memory of
// their own is not seen, leaks are not reported, and 'test' takes about three times as long. Linux, gcc, a checkout that is set up.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../src/engine/addon-path.mjs';
import { configureArguments } from '../src/setup/build-addon.mjs';
import { findLibtorch } from '../src/setup/find-libtorch.mjs';
import { run, SetupError } from '../src/setup/run-command.mjs';

const tests = process.argv.length > 2 ? process.argv.slice(2) : ['src/engine'];
const sanitizers = '-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g1';

/** The runtime libraries of gcc's sanitizers must be loaded before all others, and libstdc++ before they look for its throw. */
const preloaded = ['libasan.so', 'libubsan.so', 'libstdc++.so.6'].map((name) =>
  spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim(),
);

const libtorch = findLibtorch();
if (!libtorch) throw new SetupError("libtorch not found; 'npm run setup' says how to install it");
const copy = mkdtempSync(join(tmpdir(), 'inception-sanitize-'));
try {
  // A checkout finds its addon in its own build/: a copy has another one.
  for (const part of ['src', 'test', 'bin', 'dist', 'package.json', 'vitest.config.ts'])
    cpSync(join(packageRoot, part), join(copy, part), { recursive: true });
  symlinkSync(join(packageRoot, 'node_modules'), join(copy, 'node_modules'));
  const build = join(copy, 'build');
  run('cmake', [...configureArguments(libtorch, build), `-DCMAKE_CXX_FLAGS=${sanitizers}`]);
  run('cmake', ['--build', build, '--parallel', String(availableParallelism())]);
  const { status } = spawnSync(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--pool',
      'forks',
      '--retry',
      '0',
      '--testTimeout',
      '600000',
      ...tests,
    ],
    {
      cwd: copy,
      stdio: 'inherit',
      env: {
        ...process.env,
        LD_PRELOAD: preloaded.join(':'),
        // A test asks for more memory than there is. Node.js and libtorch never free what lives as long as the process.
        ASAN_OPTIONS: 'allocator_may_return_null=1:detect_leaks=0',
        UBSAN_OPTIONS: 'print_stacktrace=1',
      },
    },
  );
  process.exitCode = status ?? 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}

// Feeds the addon for images with damaged JPEGs, under gcc's sanitizers:
//   node scripts/fuzz-images.mjs [SECONDS] [SEED]      default: 60 seconds, seed 1
// The files are those of test/fixtures/jpegs, changed at random. The first report ends it with its stack; libjpeg-turbo itself is not
// instrumented, but its memory is checked where our code touches it, and leaks are reported. Linux, gcc.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../src/engine/addon-path.mjs';
import { run } from '../src/setup/run-command.mjs';

const [seconds = '60', seed = '1'] = process.argv.slice(2);
const native = join(packageRoot, 'native/images');
const fixtures = join(packageRoot, 'test/fixtures/jpegs');
const folder = mkdtempSync(join(tmpdir(), 'inception-fuzz-'));
const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-g1', '-O1'];
const compile = (output, source, ...flags) =>
  run('g++', ['-std=c++17', ...sanitizers, ...flags, '-c', '-o', join(folder, output), join(native, source)]);
try {
  const sources = readdirSync(native).filter((name) => /^(?!addon|kernels).*\.cc$/.test(name));
  for (const name of sources) compile(`${name}.o`, name, '-ffp-contract=off', '-DINCEPTION_X86_KERNELS');
  compile('portable.o', 'kernels.cc', '-DKERNELS=portable');
  compile('avx2.o', 'kernels.cc', '-DKERNELS=avx2', '-mavx2');
  compile('fuzz.o', 'fuzz/prepare-image.cc');
  const objects = readdirSync(folder).filter((name) => name.endsWith('.o'));
  run('g++', [
    ...sanitizers,
    '-o',
    join(folder, 'fuzz'),
    ...objects.map((name) => join(folder, name)),
    '-ljpeg',
    '-lpthread',
  ]);
  const files = readdirSync(fixtures).filter((name) => name.endsWith('.jpg'));
  const { status } = spawnSync(
    join(folder, 'fuzz'),
    [seconds, seed, ...files.map((name) => join(fixtures, name))],
    {
      cwd: folder,
      stdio: 'inherit',
      // The pool's threads are never started here.
      env: {
        ...process.env,
        UBSAN_OPTIONS: 'print_stacktrace=1',
        ASAN_OPTIONS: 'allocator_may_return_null=1',
      },
    },
  );
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

// Everything for a machine with a CUDA device and a Python with PyTorch for it, in one command:
//   node scripts/cuda.mjs [--python PATH] [--batch 256] [--rounds 20] [--without-parity]
// Builds the addon in build/ against that PyTorch's libtorch, runs the parity tests on the device, and prints the bench's
// table as rows for docs/performance.md. Plain JavaScript without dependencies, because it runs before they are installed.
// Needs cmake, make and a C++ compiler. 'npm run setup' afterwards builds for the libtorch that it finds itself.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const usualPythons = ['python3', '/usr/bin/python3'];

/** The targets of docs/performance.md, for an H200. `batch` may be changed for a smaller device. */
const benches = [
  { work: 'train', against: 'pytorch', aim: '1.3' },
  { work: 'train', against: 'torch-compile', aim: '1.05' },
  { work: 'infer', batch: 1, against: 'pytorch', aim: '1.5' },
];

class CudaError extends Error {}

const say = (line) => process.stderr.write(`${line}\n`);

const question = `
import json, os, torch
found = torch.cuda.is_available()
print(json.dumps(dict(version=torch.__version__, root=torch.__path__[0], toolkit=torch.version.cuda, found=found,
    device=torch.cuda.get_device_name() if found else None,
    headers=os.path.exists(os.path.join(torch.__path__[0], "include/ATen/ATen.h")))))
`;

/** The PyTorch of a Python, or the reason why it cannot be used. */
function ask(python) {
  const { status, stdout, error } = spawnSync(python, ['-c', question], { encoding: 'utf8' });
  if (error) return { python, fault: 'does not start' };
  if (status !== 0) return { python, fault: 'has no PyTorch' };
  const torch = JSON.parse(stdout);
  const { version } = torch;
  if (torch.toolkit === null) return { python, fault: `its PyTorch ${version} is a build without CUDA` };
  if (!torch.found)
    return { python, fault: `its PyTorch ${version} finds no CUDA device (nvidia-smi should show one)` };
  if (!torch.headers)
    return { python, fault: `its PyTorch ${version} has no headers in ${torch.root}/include` };
  return { python, ...torch };
}

function findTorch(pythons) {
  const answers = pythons.map(ask);
  const found = answers.find(({ fault }) => fault === undefined);
  if (found) return found;
  const faults = answers.map(({ python, fault }) => `  ${python}: ${fault}`);
  throw new CudaError(
    `expected a Python whose PyTorch finds a CUDA device; tried\n${faults.join('\n')}\nOn a machine with an NVIDIA GPU and its driver: pip install torch, or choose another Python with --python PATH. Without a GPU: npm run setup`,
  );
}

/** Runs one of this project's commands, showing its standard error. */
function node(args, { env = {}, stdout = 'inherit' } = {}) {
  const result = spawnSync(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio: ['ignore', stdout, 'inherit'],
  });
  return { succeeded: result.status === 0, stdout: result.stdout };
}

function build({ root: LIBTORCH }) {
  if (!node(['scripts/setup.mjs', '--engine-only'], { env: { LIBTORCH } }).succeeded)
    throw new CudaError(`the build against LIBTORCH=${LIBTORCH} failed; see the output above`);
}

/** Whether all parity tests pass; the tolerances are those of the CPU, so that TF32 is turned off in cuBLAS and cuDNN. */
function holdsParity() {
  const vitest = 'node_modules/vitest/vitest.mjs';
  if (!existsSync(join(root, vitest))) throw new CudaError(`${vitest} is missing; run npm ci`);
  const env = { INCEPTION_DEVICE: 'cuda', NVIDIA_TF32_OVERRIDE: '0' };
  return node([vitest, 'run', 'test/golden/parity.test.ts'], { env }).succeeded;
}

function measure({ work, batch, against, rounds, python }) {
  const asked = `bench ${work} --network inception-v4 --batch ${batch} --precision bfloat16 --device cuda`;
  const more = ['--against', against, '--python', python, '--rounds', String(rounds), '--json'];
  say(`inception ${asked} --against ${against}`);
  const { succeeded, stdout } = node(['bin/inception', ...asked.split(' '), ...more], { stdout: 'pipe' });
  if (succeeded) return JSON.parse(stdout);
  say(
    `this bench failed; if the device's memory is too small for ${batch} images, try --batch ${batch >> 1}`,
  );
  return undefined;
}

const milliseconds = (ms) => `${ms.toPrecision(ms < 1000 ? 3 : 4)} ms`;

/** One row per peer that ran. */
function rowsOf(comparison, { work, batch, aim }) {
  const [ours] = comparison.sides;
  const what = `${work === 'train' ? 'training step' : 'inference'}, Inception-v4, 299, batch ${batch}, bfloat16`;
  const peers = comparison.sides.filter(({ name }) => name !== 'ours' && name !== 'floor');
  const share = ours.ofFloor === null ? '–' : `${Math.round(ours.ofFloor * 100)}%`;
  return peers.map(({ about, ms, ratio }) => {
    const cells = [
      what,
      about,
      milliseconds(ours.ms.median),
      milliseconds(ms.median),
      ratio.toFixed(2),
      aim,
      share,
    ];
    return `| ${cells.join(' | ')} |`;
  });
}

function complain({ missing, leftOut, failed }) {
  for (const { name, advice } of missing) say(`${name} is not installed; ${advice}`);
  for (const { name, reason } of [...leftOut, ...failed]) say(`${name} did not run: ${reason}`);
}

function readOptions() {
  const whole = (name, text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < 1)
      throw new CudaError(`--${name}: expected an integer of at least 1, received '${text}'`);
    return value;
  };
  try {
    const { values } = parseArgs({
      options: {
        python: { type: 'string' },
        batch: { type: 'string', default: '256' },
        rounds: { type: 'string', default: '20' },
        'without-parity': { type: 'boolean', default: false },
      },
    });
    return {
      pythons: values.python === undefined ? usualPythons : [values.python],
      batch: whole('batch', values.batch),
      rounds: whole('rounds', values.rounds),
      parity: !values['without-parity'],
    };
  } catch (error) {
    throw error.code?.startsWith('ERR_PARSE_ARGS') ? new CudaError(error.message) : error;
  }
}

try {
  const options = readOptions();
  const torch = findTorch(options.pythons);
  say(`${torch.device}, PyTorch ${torch.version} in ${torch.root}`);
  build(torch);
  if (options.parity && !holdsParity()) {
    say('parity: some tests fail on the device (see above); the table below may measure a wrong step');
    process.exitCode = 1;
  }
  const rows = [];
  for (const bench of benches) {
    const asked = { batch: options.batch, rounds: options.rounds, python: torch.python, ...bench };
    const comparison = measure(asked);
    if (comparison) complain(comparison);
    const own = comparison ? rowsOf(comparison, asked) : [];
    if (own.length === 0) process.exitCode = 1;
    rows.push(...own);
  }
  const head = `${torch.device}, PyTorch ${torch.version}, CUDA ${torch.toolkit}, Node.js ${process.versions.node}; medians of ${options.rounds} interleaved steps.`;
  process.stdout.write(`${head}

| work | compared with | ours | theirs | ratio | target | of the floor |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`);
} catch (error) {
  if (!(error instanceof CudaError)) throw error;
  say(`cuda: ${error.message}`);
  process.exitCode = 1;
}

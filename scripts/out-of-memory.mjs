// Lets libtorch run out of memory in the first steps of a training, and prints how the batch is halved:
//   node scripts/out-of-memory.mjs [--megabytes 1100] [--batch 256]
// The address space of this process is limited to what it has when everything is loaded, and so many megabytes more. Linux, prlimit
// (util-linux), and a built checkout ('npm run setup'); Fashion-MNIST's images, which no decoder needs. With much less than a tenth of what the step
// needs, others than libtorch are refused first: GLib aborts, V8 and glibc end with SIGSEGV, and no message comes from here.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { openTorch, train } from '../dist/index.js';

const { values } = parseArgs({
  options: { megabytes: { type: 'string', default: '1100' }, batch: { type: 'string', default: '256' } },
});

const addressSpace = () =>
  1024 * Number(/VmSize:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

const folder = mkdtempSync(join(tmpdir(), 'inception-memory-'));
const engine = openTorch({ device: 'cpu', threads: 1 });
// sharp draws the mistakes of evaluations, and cannot be loaded later.
await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
  .png()
  .toBuffer();
const limit = addressSpace() + Number(values.megabytes) * 2 ** 20;
execFileSync('prlimit', ['--pid', `${process.pid}`, `--as=${limit}:unlimited`]);
try {
  const run = train({
    network: 'inception-v4',
    options: { width: 0.125, blocks: { A: 1, B: 1, C: 1 }, inputSize: 235 },
    data: 'fashion-mnist',
    recipe: { name: 'small-data', batch: Number(values.batch), epochs: 1 },
    limitTrain: Number(values.batch),
    limitValidation: 16,
    precision: 'float32',
    engine,
    out: join(folder, 'run'),
  });
  for await (const event of run) {
    if (event.kind === 'warning') console.log(event.message);
    if (event.kind === 'step') run.stop();
  }
  const { recipe, decisions } = JSON.parse(readFileSync(join(run.folder, 'config.json'), 'utf8'));
  console.log(`trained with a batch of ${recipe.batch}`);
  for (const decision of decisions ?? []) console.log(`  ${decision}`);
} finally {
  await engine.close();
  rmSync(folder, { recursive: true });
}

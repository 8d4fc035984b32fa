/**
 * Trains Fashion-MNIST alike by one process and by several, over seeds, and prints the test errors: whether a training loses anything when it is shared.
 *
 *   node scripts/cluster/compare-trainings.mjs OUTPUT [--seeds 1,2,3] [--only NAME,…] [--images 12000] [--epochs 5]
 *
 * All variants have 64 images a step. results.jsonl in OUTPUT keeps what is done, so that a second call goes on. Launchers need not be compared: the number of
 * processes changes no bit (src/train/replicas/*.test.ts), whoever starts them. It needs the built package: npx tsc -p tsconfig.build.json
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const variants = {
  'one process, batch 64': ['--batch', '64'],
  'two processes, batch 32 each': ['--batch', '32', '--processes', '2'],
  'two processes, --reduce bfloat16': ['--batch', '32', '--processes', '2', '--reduce', 'bfloat16'],
  'two processes, --batch-norm synchronised': [
    '--batch',
    '32',
    '--processes',
    '2',
    '--batch-norm',
    'synchronised',
  ],
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '1,2,3' },
    only: { type: 'string', default: Object.keys(variants).join(',,') },
    images: { type: 'string', default: '12000' },
    epochs: { type: 'string', default: '5' },
  },
});
const [output] = positionals;
if (output === undefined) {
  console.error(
    'usage: node scripts/cluster/compare-trainings.mjs OUTPUT [--seeds 1,2,3] [--images N] [--epochs N]',
  );
  process.exit(2);
}
mkdirSync(output, { recursive: true });
const results = join(output, 'results.jsonl');
const read = () =>
  existsSync(results)
    ? readFileSync(results, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : [];
const wanted = Object.entries(variants).filter(([name]) => values.only.includes(name));
const command = fileURLToPath(new URL('../../bin/inception', import.meta.url));
const network = ['inception-resnet-v2', '--width', '0.25', '--blocks', '1,2,1', '--input-size', '75'];
const { images, epochs } = values;

for (const seed of values.seeds.split(',').map(Number))
  for (const [name, options] of wanted) {
    if (
      read().some(
        (row) => row.name === name && row.seed === seed && row.images === images && row.epochs === epochs,
      )
    )
      continue;
    const run = join(output, `run-${seed}-${Object.keys(variants).indexOf(name)}`);
    rmSync(run, { recursive: true, force: true });
    const data = ['--data', 'fashion-mnist', '--validation', '0', '--limit-train', images];
    const args = [
      'train',
      ...network,
      ...data,
      '--recipe',
      'small-data',
      '--epochs',
      epochs,
      '--seed',
      String(seed),
      '--threads',
      '1',
      ...options,
      '--out',
      run,
    ];
    console.error(`inception ${args.join(' ')}`);
    const begin = performance.now();
    const text = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const error = Number(/test error ([\d.]+)%/.exec(text)?.[1]);
    const row = { name, seed, images, epochs, error, seconds: (performance.now() - begin) / 1000 };
    appendFileSync(results, `${JSON.stringify(row)}\n`);
    console.error(JSON.stringify(row));
  }

const rows = read().filter((row) => row.images === images && row.epochs === epochs);
console.log('| training | test error by seed, % | mean |\n| --- | --- | --- |');
for (const name of Object.keys(variants)) {
  const errors = rows.filter((row) => row.name === name).map(({ error }) => error);
  if (errors.length === 0) continue;
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  console.log(`| ${name} | ${errors.map((error) => error.toFixed(2)).join(', ')} | ${mean.toFixed(2)} |`);
}

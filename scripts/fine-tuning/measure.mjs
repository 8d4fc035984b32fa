/**
 * Measures what pretrained weights bring on a real set, beside PyTorch on the same images. Prints a table; results.jsonl in OUTPUT keeps what is done, so that a second call goes on.
 *
 *   node scripts/fine-tuning/measure.mjs elpv --from FOLDER --weights nsfwjs.safetensors --output OUTPUT [options]
 *
 * SET is elpv or stamps, FOLDER where they lie (data-sets.mjs says how they come there). Options: --seeds 1,2,3; --only NAME,NAME of the
 * variants below; --epochs N (10); --size N (299), the network's input; --limit N images of each split, for a try; --python PATH, one that has
 * torch, torchvision and safetensors, for the variant pytorch. OMP_NUM_THREADS is taken by both sides.
 *
 * Every variant sees the same images: 60% to train, 15% for validation, by which the epoch is chosen, 25% for the test, once at the end; 75% to train
 * and none for validation where the name says so.
 * It needs the built package: npx tsc -p tsconfig.build.json
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { dataSets, groupBy, layOut } from './data-sets.mjs';

/** Arguments of `inception train` besides data, output and seed; `undefined` is PyTorch. */
const variants = {
  scratch: ['inception-v3', '--recipe', 'small-data'],
  probe: ['--weights', 'WEIGHTS', '--freeze', 'all'],
  // PyTorch's time has no probe before it either.
  'fine-tune': ['--weights', 'WEIGHTS', '--no-probe'],
  'layer-decay': ['--weights', 'WEIGHTS', '--no-probe', '--layer-decay', '0.8'],
  'freeze-reductionA': ['--weights', 'WEIGHTS', '--no-probe', '--freeze', 'reductionA'],
  'freeze-reductionB': ['--weights', 'WEIGHTS', '--no-probe', '--freeze', 'reductionB'],
  // What the published figures of ELPV learn from, too: nothing is held back to choose an epoch by, and the last one is the model.
  'freeze-reductionA-75%': [
    '--weights',
    'WEIGHTS',
    '--no-probe',
    '--freeze',
    'reductionA',
    '--validation',
    '0',
  ],
  pytorch: undefined,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: 'string' },
    weights: { type: 'string' },
    output: { type: 'string' },
    seeds: { type: 'string', default: '1,2,3' },
    only: { type: 'string', default: Object.keys(variants).join(',') },
    epochs: { type: 'string', default: '10' },
    limit: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    size: { type: 'string', default: '299' },
  },
});
const [set] = positionals;
const { from, weights, output } = values;
const wanted = values.only.split(',');
const unknown = wanted.filter((name) => !Object.hasOwn(variants, name));
if (!dataSets.includes(set) || !from || !weights || !output || unknown.length > 0) {
  console.error(
    `usage: measure.mjs ${dataSets.join('|')} --from FOLDER --weights MODEL --output OUTPUT; variants: ${Object.keys(variants).join(', ')}`,
  );
  process.exit(2);
}
const limit = values.limit === undefined ? undefined : Number(values.limit);

const here = dirname(fileURLToPath(import.meta.url));
const inception = (...args) => {
  console.error(`inception ${args.join(' ')}`);
  execFileSync(join(here, '../../bin/inception'), args, { stdio: ['ignore', 'ignore', 'inherit'] });
};

const results = join(output, 'results.jsonl');
mkdirSync(output, { recursive: true });
const done = existsSync(results)
  ? readFileSync(results, 'utf8')
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  : [];
const protocol = JSON.stringify([limit ?? null, values.epochs, values.size]);
const isDone = (variant, seed) =>
  done.some(
    (row) => row.set === set && row.variant === variant && row.seed === seed && row.protocol === protocol,
  );

for (const seed of values.seeds.split(',').map(Number)) {
  const data = join(output, `${set}-${seed}${limit === undefined ? '' : `-${limit}`}`);
  const weightOf = layOut(set, { from, output: data, seed, limit });
  for (const variant of wanted) {
    if (isDone(variant, seed)) continue;
    const run = join(output, `${basename(data)}-${variant}`);
    rmSync(run, { recursive: true, force: true });
    const begin = performance.now();
    if (variants[variant] === undefined) await runPyTorch(data, run, seed);
    else runOurs(variants[variant], data, run, seed);
    const seconds = (performance.now() - begin) / 1000;
    const row = { set, variant, seed, protocol, seconds, ...scoreOf(run, weightOf) };
    done.push(row);
    appendFileSync(results, `${JSON.stringify(row)}\n`);
  }
}
printTable(done.filter((row) => row.set === set && row.protocol === protocol));

function runOurs(variant, data, run, seed) {
  const given = variant.map((word) => (word === 'WEIGHTS' ? weights : word));
  const images = variant.includes('--validation') ? joined(data) : data;
  inception(
    'train',
    ...given,
    '--data',
    images,
    '--output',
    run,
    '--input-size',
    values.size,
    // With --epochs, --seed or other arguments of steps, the classifier alone would be trained by steps instead of solved.
    ...(variant === variants.probe ? [] : ['--epochs', values.epochs, '--seed', String(seed)]),
  );
  inception('predict', run, join(data, 'test'), '--top', '1', '--output', join(run, 'predictions.jsonl'));
}

/** The training and validation images as one folder, beside the same test images. */
function joined(data) {
  const whole = `${data}-75`;
  if (!existsSync(whole)) {
    cpSync(join(data, 'test'), join(whole, 'test'), { recursive: true });
    for (const part of ['train', 'val']) cpSync(join(data, part), join(whole, 'train'), { recursive: true });
  }
  return whole;
}

async function runPyTorch(data, run, seed) {
  const exported = join(output, 'torchvision.safetensors');
  if (!existsSync(exported)) await exportBody(exported);
  const args = [join(here, 'fine_tune.py'), data, exported, run, String(seed), values.epochs, values.size];
  console.error(`${values.python} ${args.join(' ')}`);
  execFileSync(values.python, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** The weights under torchvision's names. A classifier and its hidden layers are not wanted: zeros stand for them. */
async function exportBody(path) {
  const [{ openModel }, { graphOf }, { exportWeights }, { elementCount, parametersOf }] = await Promise.all(
    ['predict/open-model', 'model/description', 'ecosystems/export/export-weights', 'graph/graph'].map(
      (name) => import(`../../dist/${name}.js`),
    ),
  );
  const model = await openModel(weights);
  const { hidden: _, auxiliary: __, ...options } = model.description.options;
  const description = { ...model.description, options };
  const theirs = new Map(parametersOf(model.graph).map((parameter) => [parameter.name, parameter]));
  const read = async (parameter) =>
    parameter.name.startsWith('logits/')
      ? new Float32Array(elementCount(parameter.shape))
      : model.read(theirs.get(parameter.name));
  await exportWeights(
    { ...model, description, graph: graphOf(description), read },
    { to: 'torchvision', output: path },
  );
  await model.close();
}

/** Accuracy, weighted accuracy and balanced accuracy of the test images. */
function scoreOf(run, weightOf) {
  const lines = readFileSync(join(run, 'predictions.jsonl'), 'utf8').trim().split('\n');
  const perClass = new Map();
  let [right, weight, weightRight] = [0, 0, 0];
  for (const line of lines) {
    const row = JSON.parse(line);
    const label = row.label ?? row.predictions?.[0]?.label;
    const truth = basename(dirname(row.file));
    const isRight = label === truth;
    const own = weightOf[`${truth}/${basename(row.file)}`];
    if (own === undefined || label === undefined) throw new Error(`${run}: unexpected prediction ${line}`);
    const counts = perClass.get(truth) ?? { right: 0, count: 0 };
    perClass.set(truth, { right: counts.right + isRight, count: counts.count + 1 });
    right += isRight;
    weight += own;
    weightRight += isRight ? own : 0;
  }
  const expected = Object.keys(weightOf).length;
  if (lines.length !== expected)
    throw new Error(`${run}: ${lines.length} predictions for ${expected} test images`);
  const recalls = [...perClass.values()].map((counts) => counts.right / counts.count);
  return {
    images: lines.length,
    accuracy: right / lines.length,
    weighted: weightRight / weight,
    balanced: recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length,
  };
}

/** Mean and standard deviation over the seeds. */
function printTable(rows) {
  const show = (list, scale, digits) => {
    const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
    const variance = list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, list.length - 1);
    const spread = list.length > 1 ? ` ± ${(Math.sqrt(variance) * scale).toFixed(digits)}` : '';
    return `${(mean * scale).toFixed(digits)}${spread}`;
  };
  console.log(
    `| ${set} | seeds | accuracy, % | weighted, % | balanced, % | minutes |\n| --- | --- | --- | --- | --- | --- |`,
  );
  for (const [variant, list] of groupBy(rows, ({ variant }) => variant)) {
    const cells = ['accuracy', 'weighted', 'balanced'].map((key) =>
      show(
        list.map((row) => row[key]),
        100,
        2,
      ),
    );
    const minutes = show(
      list.map(({ seconds }) => seconds / 60),
      1,
      1,
    );
    console.log(`| ${[variant, list.length, ...cells, minutes].join(' | ')} |`);
  }
}

/**
 * One rank of our side of ddp.mjs, which starts it: the compiled step itself, with the job's images, and no data, files or checkpoints.
 *
 *   node our-rank.mjs JOB.json     with RANK, WORLD_SIZE and MASTER_ADDR in the environment, and ADDRESS, this host's own
 *
 * Answers are lines of JSON on standard output. The first has the port of rank 0's store; `join PORT` follows for all. Requests as in ddp.py, and
 *   traffic     what the engine says of its communication   -> { bytes, busyMs, exposedMs }
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { graphOfWork, trainingOptions } from '../../dist/bench/our-step.js';
import { compileTraining } from '../../dist/compile/training/compile-training.js';
import { openTorch } from '../../dist/engine/torch.js';
import { parametersOf } from '../../dist/graph/graph.js';
import { openSafetensors } from '../../dist/weights/safetensors/safetensors.js';

const job = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { RANK, WORLD_SIZE, MASTER_ADDR: host, ADDRESS: address } = process.env;
const [rank, size] = [Number(RANK), Number(WORLD_SIZE)];
const answer = (values) => process.stdout.write(`${JSON.stringify(values)}\n`);

const graph = graphOfWork(job);
const replicas = { count: size, processes: size, reduce: job.reduce, batchNorm: 'own', average: 'none' };

/** An engine with the step, its weights and its inputs. Each has a thread of its own, which sleeps while it has nothing to do. */
async function openStep() {
  const engine = openTorch({ device: 'cpu', threads: job.threads });
  const options = { ...trainingOptions(job), kernels: engine.facts.kernels };
  const { store: spec, step } = compileTraining(graph, size > 1 ? { ...options, replicas } : options);
  const store = await engine.createStore(spec);
  const file = await openSafetensors(job.weights);
  for (const { name } of parametersOf(graph)) await store.write(name, (await file.read(name)).data);
  await file.close();
  const loaded = await engine.load(step, store);
  const given = inputsOf(step);
  const reduce = size > 1 ? await engine.load(communicationOf(step), store) : undefined;
  return { engine, run: () => loaded.run(given), reduce: () => reduce?.run({}) };
}

function inputsOf(program) {
  const bytes = readFileSync(job.images);
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  // Every rank has images of its own, by a rule that PyTorch's side follows too.
  const shift = (1001 * rank) % values.length;
  const images = new Float32Array(values.length);
  images.set(values.subarray(values.length - shift));
  images.set(values.subarray(0, values.length - shift), shift);
  const known = {
    images,
    labels: BigInt64Array.from(job.labels, BigInt),
    learningRate: new Float32Array([job.optimizer.learningRate]),
    averageDecay: new Float32Array([0.9999]),
  };
  const inputs = program.inputs.map(({ name, shape }) => [
    name,
    // What a replica can ask for: nothing.
    known[name] ?? new Float32Array(shape.reduce((product, length) => product * length, 1)),
  ]);
  return Object.fromEntries(inputs);
}

const collectives = ['inception::accumulate_', 'inception::share_', 'inception::wait_'];

/** Of a step only what travels: everything is begun, then waited for. */
function communicationOf(program) {
  const nameOf = new Map();
  const begun = [];
  const waited = [];
  let slots = 0;
  for (const step of program.steps) {
    if (step.do === 'load') nameOf.set(step.to, step.name);
    // A collective returns what it was given, under another number.
    else if (step.do === 'call' && collectives.includes(step.operator)) {
      const [{ slot: sums }] = step.args;
      for (const to of step.to) if (to !== null) nameOf.set(to, nameOf.get(sums));
      const loads = [];
      const args = step.args.map((arg) => {
        if (arg?.slot === undefined) return arg;
        const to = slots++;
        loads.push({ do: 'load', name: nameOf.get(arg.slot), to });
        return { slot: to };
      });
      const list = step.operator === 'inception::wait_' ? waited : begun;
      list.push(...loads, { ...step, args, to: step.to.map(() => null) });
      list.push({ do: 'free', slots: loads.map(({ to }) => to) });
    }
  }
  return { name: 'communication', inputs: [], outputs: [], slots, steps: [...begun, ...waited] };
}

async function timed(work, count) {
  const wall = [];
  const before = process.cpuUsage();
  for (let index = 0; index < count; index++) {
    const begin = performance.now();
    await work();
    wall.push(performance.now() - begin);
  }
  const { user, system } = process.cpuUsage(before);
  return { wall, processor: (user + system) / 1000 / count };
}

const ours = await openStep();
// Without a group the collectives of the same program do nothing.
const alone = await openStep();
const { libtorch, collectives: carrier } = ours.engine.facts;
answer({ port: rank === 0 && size > 1 ? await ours.engine.serveStore() : 0 });
let group;
for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument] = line.split(' ');
  if (command === 'join') {
    if (size > 1) group = await ours.engine.join({ rank, size, host, port: Number(argument), address });
    const { loss, gradientNorm } = await ours.run();
    const about = `libtorch ${libtorch}, ${carrier ?? 'alone'}, gradients travel in ${job.reduce}`;
    answer({ about, loss: loss.data[0], gradientNorm: gradientNorm.data[0] });
  } else if (command === 'traffic') {
    const { bytes, busyMs, exposedMs } = group?.traffic() ?? { bytes: 0, busyMs: 0, exposedMs: 0 };
    answer({ bytes, busyMs, exposedMs });
  } else {
    const work = { run: ours.run, alone: alone.run, reduce: ours.reduce }[command];
    answer(await timed(work, Number(argument)));
  }
}
await group?.leave();
await alone.engine.close();
await ours.engine.close();

/** What a step of many replicas computes, run by the engine: against one replica's gradients, and shared among processes. */
import { afterAll, describe, expect, it } from 'vitest';
import { digest } from '../../../../test/digest.ts';
import { stepOptions } from '../../../../test/step-options.ts';
import type { Engine, HostTensor, LoadedProgram, Store } from '../../../engine/engine.ts';
import { openTorch } from '../../../engine/torch.ts';
import { buildGraph } from '../../../graph/build-graph.ts';
import { isStatistic, type Node, parametersOf } from '../../../graph/graph.ts';
import { initialise } from '../../../model/initialise.ts';
import { configure, findNetwork } from '../../../networks/networks.ts';
import { Emitter } from '../../emitter.ts';
import { learningRates } from '../../optimizers/learning-rates.ts';
import { type Optimizer, scalarInputs, usualOptimizers } from '../../optimizers/optimizers.ts';
import { gradientNorm, Update } from '../../optimizers/update.ts';
import type { TrainingOptions } from '../../options.ts';
import { compileTraining } from '../compile-training.ts';

const batch = 4;
const graph = buildGraph(
  configure(findNetwork('inception-v4'), {
    ...{ width: 0.125, blocks: { A: 1, B: 1, C: 1 }, inputSize: 75, classes: 10 },
  }),
);
const statistics = parametersOf(graph).filter(isStatistic);

const options: TrainingOptions = { ...stepOptions, batch, precision: 'float32', dropout: false };

type Replicas = NonNullable<TrainingOptions['replicas']>;

const of = (
  count: number,
  processes: number,
  more: Partial<Replicas> = {},
): Pick<TrainingOptions, 'replicas'> => ({
  replicas: { count, processes, reduce: 'float32', batchNorm: 'own', average: 'reduce', ...more },
});

const engines: Engine[] = [];
const open = () => {
  const engine = openTorch({ device: 'cpu', threads: 1 });
  engines.push(engine);
  return engine;
};
const engine = open();
afterAll(async () => {
  for (const each of engines) await each.close();
});

/** Different images and labels for every replica. */
const imagesOf = (replica: number, images = batch) => ({
  images: Uint8Array.from({ length: images * 75 * 75 * 3 }, (_, index) => {
    const at = index + replica * batch * 75 * 75 * 3;
    return (at * 31 + Math.floor(at / 997) * 17) % 251;
  }),
  labels: BigInt64Array.from({ length: images }, (_, index) => BigInt((index + 3 * replica * batch) % 10)),
});

const scalars = {
  learningRate: Float32Array.of(0.05),
  averageDecay: Float32Array.of(0.9),
};
const momentum = { batchNormMomentum: Float32Array.of(0.25) };
const flags = (stop = 0, save = 0) => ({ stop: Float32Array.of(stop), save: Float32Array.of(save) });

async function load(more: Partial<TrainingOptions>, on = engine) {
  const compiled = compileTraining(graph, { ...options, ...more });
  const store = await on.createStore(compiled.store);
  await initialise(store, graph, { seed: 1 });
  const { step, accumulate, idle } = compiled;
  const loaded = async (program: typeof step | undefined) => program && on.load(program, store);
  const programs = {
    step: await on.load(step, store),
    accumulate: await loaded(accumulate),
    idle: await loaded(idle),
  };
  return { ...programs, store, spec: compiled.store };
}

const floats = async (store: Store, name: string) => (await store.read(name)).data as Float32Array;

/** Gradients and moving statistics of each replica by itself. */
async function alone(count: number, more: Partial<TrainingOptions> = {}) {
  const results: { gradient: Float32Array; statistics: Float32Array; outputs: Record<string, HostTensor> }[] =
    [];
  for (let replica = 0; replica < count; replica++) {
    const { step, store } = await load({ ...more, update: false });
    const outputs = await step.run({ ...imagesOf(replica), ...momentum });
    results.push({
      gradient: await floats(store, 'flat/gradient'),
      statistics: await floats(store, 'flat/statistics'),
      outputs,
    });
    store.release();
  }
  return results;
}

/** One after another in float32, then times 1 / count: as the operators do. */
function mean(all: readonly Float32Array[]): Float32Array {
  const sums = new Float32Array((all[0] as Float32Array).length);
  for (const each of all)
    for (let index = 0; index < sums.length; index++)
      sums[index] = Math.fround((sums[index] as number) + (each[index] as number));
  const factor = Math.fround(1 / all.length);
  return sums.map((sum) => sum * factor);
}

/** All replicas of one process, in turn. */
async function runStep(
  { step, accumulate }: { step: LoadedProgram; accumulate: LoadedProgram | undefined },
  { replicas, more = {} }: { replicas: readonly number[]; more?: Record<string, Float32Array> },
) {
  for (const replica of replicas.slice(0, -1)) await accumulate?.run({ ...imagesOf(replica), ...flags() });
  return step.run({ ...imagesOf(replicas.at(-1) as number), ...flags(1), ...momentum, ...more });
}

const furthest = (actual: Float32Array, expected: Float32Array): number => {
  let most = actual.length === expected.length ? 0 : Number.NaN;
  for (let index = 0; index < actual.length; index++)
    most = Math.max(most, Math.abs((actual[index] as number) - (expected[index] as number)));
  return most;
};

const largest = (values: Float32Array): number => furthest(values, new Float32Array(values.length));

describe('four replicas in one process', () => {
  const everyone = [0, 1, 2, 3];

  it('give the mean of the gradients that each has alone, bit for bit', async () => {
    const expected = mean((await alone(4)).map(({ gradient }) => gradient));
    const { store, ...programs } = await load({ ...of(4, 1), update: false });
    for (const _ of [1, 2]) {
      // The second time the sums have to begin with zero again.
      await runStep(programs, { replicas: everyone });
      expect(digest(await floats(store, 'flat/gradient'))).toBe(digest(expected));
    }
    store.release();
  });

  const updates: [name: string, Partial<TrainingOptions>][] = [
    ...Object.values(usualOptimizers).map((optimizer): [string, Partial<TrainingOptions>] => [
      optimizer.kind,
      { optimizer },
    ]),
    ['clipping', { clipNorm: 0.01 }],
    ['layer decay', { layerDecay: 0.7 }],
    ['layer decay and clipping', { layerDecay: 0.7, clipNorm: 0.01, optimizer: usualOptimizers.adamw }],
  ];
  const cases = (['native', 'aten'] as const).flatMap((kernels) =>
    updates.map(([name, more]) => [name, kernels, { ...more, kernels }] as const),
  );

  it.each(cases)('make one update with it: %s, by %s operators', async (_, __, more) => {
    const { optimizer = usualOptimizers.rmsprop, layerDecay } = more;
    const inputs = { ...scalars, ...scalarInputs(optimizer as Optimizer, 1) };
    const trained = await load({ ...of(4, 1), ...more });
    const before = await floats(trained.store, 'flat/weights');
    const outputs = await runStep(trained, { replicas: everyone, more: inputs });
    // The mean, and one update from it as a step of one replica makes it.
    const reference = await load({ ...of(4, 1), ...more, update: false });
    await runStep(reference, { replicas: everyone });
    const emitter = new Emitter();
    const norm = gradientNorm(emitter);
    emitter.output('norm', norm);
    new Update(emitter, { ...options, ...more }, learningRates(graph, { decay: layerDecay })).applyAll(norm);
    const update = await engine.load(emitter.finish('update'), reference.store);
    const expected = await update.run(inputs);
    for (const name of ['flat/weights', 'flat/averages'])
      expect(digest(await floats(trained.store, name)), name).toBe(
        digest(await floats(reference.store, name)),
      );
    expect(furthest(await floats(trained.store, 'flat/weights'), before)).toBeGreaterThan(0);
    const ratio = (outputs.gradientNorm?.data[0] as number) / (expected.norm?.data[0] as number);
    expect(ratio).toBeCloseTo(1, 5);
    for (const { store } of [trained, reference]) store.release();
  });

  it('move the statistics to the mean of where each would have moved them', async () => {
    const expected = mean((await alone(4)).map((each) => each.statistics));
    for (const average of ['reduce', 'none'] as const)
      for (const batchNormMomentum of ['input', 0.25] as const) {
        const { store, ...programs } = await load({ ...of(4, 1, { average }), batchNormMomentum });
        const { batchNormMomentum: weight } = momentum;
        for (const replica of [0, 1, 2]) await programs.accumulate?.run({ ...imagesOf(replica), ...flags() });
        const inputs = { ...imagesOf(3), ...flags(), ...scalars };
        await programs.step.run(
          batchNormMomentum === 'input' ? { ...inputs, batchNormMomentum: weight } : inputs,
        );
        const actual = await floats(store, 'flat/statistics');
        expect(furthest(actual, expected)).toBeLessThan(1e-5 * Math.max(1, largest(expected)));
        store.release();
      }
  });

  it('report means', async () => {
    const each = await alone(4);
    const { store, ...programs } = await load(of(4, 1));
    const outputs = await runStep(programs, { replicas: everyone, more: scalars });
    for (const name of ['loss', 'wrong', 'zeroShare']) {
      const values = each.map(({ outputs }) => Number(outputs[name]?.data[0]));
      const expected = values.reduce((sum, value) => sum + value, 0) / 4;
      expect(outputs[name]?.data[0] as number, name).toBeCloseTo(expected, 5);
      expect(outputs[name]?.shape).toEqual([]);
    }
    expect([outputs.stop?.data[0], outputs.save?.data[0]]).toEqual([0.25, 0]);
    store.release();
  });

  it('round what they add and the mean to bfloat16 where that is asked for', async () => {
    const exact = mean((await alone(4)).map(({ gradient }) => gradient));
    const { store, ...programs } = await load({ ...of(4, 1, { reduce: 'bfloat16' }), update: false });
    await runStep(programs, { replicas: everyone });
    const rounded = await floats(store, 'flat/gradient');
    const bits = new Uint32Array(rounded.buffer, rounded.byteOffset, rounded.length);
    expect(bits.every((each) => (each & 0xffff) === 0)).toBe(true);
    expect(digest(rounded)).not.toBe(digest(exact));
    expect(furthest(rounded, exact)).toBeLessThan(0.01 * largest(exact));
    store.release();
  });
});

describe('a process that has no replica left', () => {
  it('adds nothing, and updates with the others', async () => {
    // One of two processes with three replicas, of which this one has had the first, in a group of its own.
    const [{ gradient } = { gradient: new Float32Array() }] = await alone(1);
    const { store, accumulate, idle } = await load({ ...of(3, 2), update: false });
    await accumulate?.run({ ...imagesOf(0), ...flags(0, 1) });
    const outputs = (await idle?.run(momentum)) ?? {};
    const third = Math.fround(1 / 3);
    expect(digest(await floats(store, 'flat/gradient'))).toBe(digest(gradient.map((each) => each * third)));
    expect(outputs.save?.data[0]).toBeCloseTo(1 / 3, 6);
    store.release();
  });
});

describe('processes in a group', () => {
  // An addon that was built without Gloo cannot join one; `facts.whyAlone` says so.
  const inGroup = it.skipIf(engine.facts.collectives === undefined);

  /** Engines of one process are as good as processes: each has a thread and connections of its own. */
  async function group(size: number) {
    const members = Array.from({ length: size }, open);
    const port = await (members[0] as Engine).serveStore();
    const join = (member: Engine, rank: number) =>
      member.join({ rank, size, host: '127.0.0.1', port, address: '127.0.0.1' });
    return { members, groups: await Promise.all(members.map(join)) };
  }

  inGroup.each([
    ['as usual', {}, {}],
    ['in bfloat16', { reduce: 'bfloat16' }, {}],
    ['clipped', {}, { clipNorm: 0.01 }],
  ] as const)('train as one process does, bit for bit, %s', async (_, shared, more) => {
    const count = 3;
    const one = await load({ ...of(count, 1, shared), ...more });
    const expected = [];
    for (const __ of [1, 2]) expected.push(await runStep(one, { replicas: [0, 1, 2], more: scalars }));
    for (const size of [2, 3]) {
      const { members, groups } = await group(size);
      const all = await Promise.all(
        members.map((member) => load({ ...of(count, size, shared), ...more }, member)),
      );
      for (const outputs of expected) {
        const actual = await Promise.all(
          all.map(async (programs, rank) => {
            const own = [0, 1, 2].filter((replica) => replica % size === rank);
            if (own.length === Math.ceil(count / size))
              return runStep(programs, { replicas: own, more: scalars });
            for (const replica of own) await programs.accumulate?.run({ ...imagesOf(replica), ...flags() });
            return programs.idle?.run({ ...momentum, ...scalars });
          }),
        );
        for (const each of actual)
          for (const name of ['loss', 'wrong', 'gradientNorm'])
            expect(each?.[name]?.data[0], name).toBe(outputs[name]?.data[0]);
      }
      for (const { store } of all)
        for (const name of ['flat/weights', 'flat/averages', 'flat/statistics'])
          expect(digest(await floats(store, name)), `${name}, ${size} processes`).toBe(
            digest(await floats(one.store, name)),
          );
      for (const each of groups) await each.leave();
      for (const { store } of all) store.release();
    }
    one.store.release();
  });

  inGroup.each(['native', 'aten'] as const)(
    'are one process with a larger batch where batch normalisation is synchronised, by %s operators',
    async (kernels) => {
      // A few layers: in a whole network rounding alone turns ReLUs and maxima over, in one process, too.
      const size = 2;
      const shallow = { kernels, update: false, projectEndpoint: 'stem/conv3' };
      const [height, width, channels] = (graph.nodes[graph.endpoints.get('stem/conv3') as number] as Node)
        .shape;
      const values = height * width * channels;
      const projection = Float32Array.from({ length: size * batch * values }, (_, index) =>
        Math.sin(index * 12.9898 + Math.floor(index / 7)),
      );
      const { images } = imagesOf(0, size * batch);
      const partOf = <T extends Float32Array | Uint8Array>(all: T, rank: number) =>
        all.slice((rank * all.length) / size, ((rank + 1) * all.length) / size) as T;
      const large = await load({ ...shallow, batch: size * batch });
      const whole = await large.step.run({ images, projection, ...momentum });
      const { members, groups } = await group(size);
      const synchronised = { ...of(size, size, { batchNorm: 'synchronised' }), ...shallow };
      const all = await Promise.all(members.map((member) => load(synchronised, member)));
      const outputs = await Promise.all(
        all.map(({ step }, rank) =>
          step.run({
            ...{ images: partOf(images, rank), projection: partOf(projection, rank) },
            ...{ ...flags(), ...momentum },
          }),
        ),
      );
      // The projection is a sum over images, and a step of replicas takes the mean of theirs.
      const gradient = (await floats(large.store, 'flat/gradient')).map((each) => each / size);
      expect(largest(gradient)).toBeGreaterThan(0);
      const loss = (whole.loss?.data[0] as number) / size;
      for (const [rank, { store }] of all.entries()) {
        expect(Math.abs((outputs[rank]?.loss?.data[0] as number) / loss - 1)).toBeLessThan(1e-4);
        const off = furthest(await floats(store, 'flat/gradient'), gradient);
        expect(off).toBeLessThan(1e-5 * largest(gradient));
        for (const { name } of statistics.filter((each) => /^stem\/conv[123]\//.test(each.name))) {
          const expected = await floats(large.store, name);
          const moved = furthest(await floats(store, name), expected);
          expect(moved, name).toBeLessThan(1e-5 * Math.max(1, largest(expected)));
        }
      }
      for (const each of groups) await each.leave();
      for (const { store } of [large, ...all]) store.release();
    },
  );
});

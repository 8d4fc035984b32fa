/** The programs of a training of many replicas as data: what travels, when, and in which order. */
import { describe, expect, it } from 'vitest';
import { stepOptions } from '../../../../test/step-options.ts';
import { buildGraph } from '../../../graph/build-graph.ts';
import type { Graph } from '../../../graph/graph.ts';
import { freeze } from '../../../graph/parts.ts';
import { configure, findNetwork, type NetworkOptions, networks } from '../../../networks/networks.ts';
import { usualOptimizers } from '../../optimizers/optimizers.ts';
import type { CompiledTraining, TrainingOptions } from '../../options.ts';
import { plannedMemory } from '../../planned-memory.ts';
import { type Call, type Program, printProgram, reads, type StoreSpec } from '../../program.ts';
import { compileTraining } from '../compile-training.ts';

const options = stepOptions;

type Replicas = NonNullable<TrainingOptions['replicas']>;

const replicas = (count: number, processes: number, more: Partial<Replicas> = {}) => ({
  replicas: { count, processes, reduce: 'float32', batchNorm: 'own', average: 'reduce', ...more } as const,
});

const graphOf = (name: string, more: NetworkOptions = {}) =>
  buildGraph(
    configure(findNetwork(name), {
      ...{ blocks: { A: 1, B: 1, C: 1 }, width: 0.25, inputSize: 75, classes: 10, auxiliary: false },
      ...more,
    }),
  );

const graph = graphOf('inception-resnet-v2');
const compile = (more: Partial<TrainingOptions>, of: Graph = graph) =>
  compileTraining(of, { ...options, ...more });

const travels = /^inception::(accumulate_|share_|wait_)$/;

/** Elements of a stored tensor by its name: the tensor, from, to. */
function rangesOf({ tensors, views }: StoreSpec) {
  const whole = tensors.map(({ name, shape: [size = 0] }) => [name, [name, 0, size]] as const);
  const parts = views.map(({ name, of, shape, offset }) => {
    const size = shape.reduce((product, each) => product * each, 1);
    return [name, [of, offset, offset + size]] as const;
  });
  return new Map<string, readonly [tensor: string, from: number, to: number]>([...whole, ...parts]);
}

/** Calls, each with the names of the stored tensors that it reads or writes, and its index. */
function callsOf({ steps }: Program) {
  const names = new Map<number, string>();
  return steps.flatMap((step, index) => {
    if (step.do === 'load') names.set(step.to, step.name);
    if (step.do !== 'call') return [];
    const stored = reads(step).flatMap((slot) => names.get(slot) ?? []);
    return [{ ...step, index, stored }];
  });
}

/** What is done between processes, as text: 'accumulate_ 2 flat/…'. */
const traffic = (program: Program) =>
  callsOf(program)
    .filter(({ operator }) => travels.test(operator))
    .map(({ operator, args, stored }) => {
      const constants = args.filter((argument) => typeof argument !== 'object');
      return [operator.replace('inception::', ''), ...stored, ...constants].join(' ');
    });

const numberOf = ({ operator, args }: Call) => args[operator === 'inception::share_' ? 1 : 2] as number;

describe('a step of many replicas', () => {
  const variants: [name: string, Partial<TrainingOptions>][] = [
    ['as usual', {}],
    ['clipped', { clipNorm: 1 }],
    ['by libtorch’s operators', { kernels: 'aten' }],
    ['with layer decay', { layerDecay: 0.7, optimizer: usualOptimizers.adamw }],
    ['with libtorch, layer decay and clipping', { kernels: 'aten', layerDecay: 0.7, clipNorm: 1 }],
    ['of mixed labels', { mixedLabels: true, classWeights: true, optimizer: usualOptimizers.sgd }],
    ['without an update', { update: false }],
    ['by moving statistics', { batchNorm: 'moving', precision: 'float32' }],
    ['recomputing', { passes: { recompute: true }, averages: false }],
    ['unmerged', { passes: { mergeSiblings: false, writeToStore: false } }],
  ];
  const graphs: [name: string, Graph][] = [
    ...networks.map(({ name }): [string, Graph] => [
      name,
      graphOf(name, { auxiliary: name === 'inception-v3' }),
    ]),
    ['inception-v3 frozen', freeze(graphOf('inception-v3'), 'inceptionB')],
    ['inception-v3 frozen but for the classifier', freeze(graphOf('inception-v3'), 'all')],
  ];
  const cases = graphs.flatMap(([network, of]) =>
    variants.map(([name, more]) => [network, name, of, more] as const),
  );

  it.each(cases)(
    '%s %s: every bucket begins after its values, and is waited for before its use',
    (_, __, of, more) => {
      for (const [count, processes] of [
        [2, 2],
        [5, 2],
        [4, 1],
      ] as const) {
        const compiled = compile({ ...more, ...replicas(count, processes) }, of);
        const { store, step, accumulate, idle } = compiled;
        const ranges = rangesOf(store);
        const overlap = (a: string, b: string) => {
          const [[t, from, to] = ['', 0, 0], [u, begin, end] = ['', 0, 0]] = [ranges.get(a), ranges.get(b)];
          return t === u && from < end && begin < to;
        };
        for (const program of [step, accumulate, idle]) {
          if (!program) continue;
          const calls = callsOf(program);
          const begun = calls.filter(({ operator }) => operator === 'inception::accumulate_');
          const numbers = begun.map(numberOf);
          expect(numbers).toEqual(numbers.map((___, index) => index));
          const waits = calls.filter(({ operator }) => operator === 'inception::wait_');
          expect(waits.map(numberOf)).toEqual(numbers);
          // Between its beginning and its wait nobody touches a bucket.
          begun.forEach((beginning, number) => {
            const end = (waits[number] as { index: number }).index;
            const touched = calls.filter(
              ({ index, operator, stored }) =>
                index > beginning.index &&
                index < end &&
                operator !== 'inception::share_' &&
                stored.some((name) => beginning.stored.some((own) => overlap(own, name))),
            );
            expect(touched.map(({ operator }) => operator)).toEqual([]);
          });
          // All gradients, each once.
          const parts = begun
            .map(({ stored }) => ranges.get(stored[1] as string) as readonly [string, number, number])
            .filter(([tensor]) => tensor === 'flat/gradient')
            .sort(([, a], [, b]) => a - b);
          const length = store.tensors.find(({ name }) => name === 'flat/gradient')?.shape[0];
          expect(parts.reduce((end, [, from, to]) => (from === end ? to : -1), 0)).toBe(length);
          // Nothing writes to the gradient after the first wait but the steps that use it up.
          const update = waits[0]?.index as number;
          const late = calls.filter(
            ({ index, layer, stored }) =>
              index > update &&
              layer.endsWith('backward') &&
              stored.some((name) => name.startsWith('gradient/')),
          );
          expect(late).toEqual([]);
        }
        expect(idle === undefined).toBe(count % processes === 0);
        expect(accumulate === undefined).toBe(count === processes);
        if (idle) expect(traffic(idle)).toEqual(traffic(step));
        if (accumulate)
          expect(traffic(accumulate)).toEqual(traffic(step).filter((line) => !line.startsWith('share_')));
      }
    },
  );

  it.each(['native', 'aten'] as const)(
    'begins a bucket between the convolutions that fill it and those that fill the next, by %s operators',
    (kernels) => {
      const calls = callsOf(compile({ ...replicas(2, 2), kernels }, graphOf('inception-v4')).step);
      const marks = calls
        .filter(({ operator }) => /accumulate_|convolution_backward/.test(operator))
        .map(({ operator }) => (operator.endsWith('accumulate_') ? '|' : '.'))
        .join('');
      expect(marks).toMatch(/^\|+(\.+\|){5}$/);
    },
  );

  it('writes the convolutions’ gradients directly into the buckets', () => {
    const { step } = compile(replicas(4, 2));
    const backward = callsOf(step).filter(({ operator }) => operator === 'inception::convolution_backward');
    expect(backward.length).toBeGreaterThan(20);
    for (const { named } of backward) expect(named).toHaveProperty('weight_out');
  });

  it('updates the weights of a bucket right after it has arrived', () => {
    const updatesIn = (program: Program) =>
      callsOf(program)
        .map(({ operator }) => operator)
        .filter((operator) => /wait_|rmsprop_|zero_/.test(operator))
        .map((operator) => operator.replace(/.*::/, ''))
        .slice(2);
    const { step, idle } = compile(replicas(2, 2));
    expect(idle).toBeUndefined();
    const arrived = updatesIn(step);
    expect(arrived).toEqual(arrived.map((_, index) => (index % 2 === 0 ? 'wait_' : 'rmsprop_')));
    const summed = updatesIn(compile({ ...replicas(4, 2), batchNorm: 'moving' }).step);
    expect(summed).toEqual(summed.map((_, index) => ['wait_', 'rmsprop_', 'zero_'][index % 3]));
  });

  it('waits for all gradients before it clips them', () => {
    const operators = callsOf(compile({ ...replicas(4, 2), clipNorm: 1 }).step).map(
      ({ operator }) => operator,
    );
    const norm = operators.indexOf('aten::linalg_vector_norm');
    expect(operators.lastIndexOf('inception::wait_')).toBeLessThan(norm);
    expect(operators.indexOf('inception::rmsprop_')).toBeGreaterThan(norm);
  });

  it('reports means, and takes the flags by which a replica asks for something', () => {
    const { step, accumulate, idle } = compile(replicas(3, 2), graphOf('inception-v3', { auxiliary: true }));
    const outputs = ['loss', 'wrong', 'zeroShare', 'auxiliaryLoss', 'stop', 'save', 'gradientNorm'];
    expect(step.outputs).toEqual(outputs);
    expect(idle?.outputs).toEqual(outputs);
    expect(accumulate?.outputs).toEqual([]);
    const inputs = (program: Program | undefined) => program?.inputs.map(({ name }) => name).sort();
    const own = ['images', 'labels', 'save', 'stop'];
    expect(inputs(accumulate)).toEqual(own);
    expect(inputs(idle)).toEqual(['averageDecay', 'batchNormMomentum', 'learningRate']);
    expect(inputs(step)).toEqual([...own, ...(inputs(idle) as string[])].sort());
  });

  it('asks for the same inputs where there are no statistics', () => {
    const { step, accumulate, idle } = compile(replicas(3, 2), freeze(graphOf('inception-v3'), 'all'));
    for (const program of [step, idle])
      expect(program?.inputs.map(({ name }) => name)).toContain('batchNormMomentum');
    expect(accumulate?.inputs.map(({ name }) => name)).not.toContain('batchNormMomentum');
  });

  it('is the step of one replica where there is one', () => {
    const alone = compile({});
    expect(compile(replicas(1, 1))).toEqual(alone);
    expect(alone.accumulate).toBeUndefined();
    expect(alone.idle).toBeUndefined();
  });

  it('needs room for gradients, and for their sums where replicas take turns', () => {
    const planned = ({ step, store }: CompiledTraining) =>
      plannedMemory(step, { store, bytes: 2 }).storeBytes;
    const [alone, one, turns] = [compile({}), compile(replicas(2, 2)), compile(replicas(4, 2))].map(
      planned,
    ) as [number, number, number];
    const length = compile(replicas(2, 2)).store.tensors.find(({ name }) => name === 'flat/weights')
      ?.shape[0];
    expect(turns - one).toBeGreaterThanOrEqual(4 * (length as number));
    expect(one - alone).toBeGreaterThan(3.5 * (length as number));
  });
});

describe('the statistics of many replicas', () => {
  const statisticsIn = (more: Partial<Replicas>, [count, processes]: readonly [number, number], rest = {}) =>
    callsOf(compile({ ...replicas(count, processes, more), ...rest }).step)
      .filter(({ stored }) => stored.some((name) => /^flat\/(statistics|batchStatistics)/.test(name)))
      .map(({ operator, stored }) => [operator, ...stored].join(' '));

  it('travel in a bucket, and the moving ones follow their mean', () => {
    expect(statisticsIn({}, [2, 2])).toMatchInlineSnapshot(`
      [
        "inception::accumulate_ flat/batchStatistics flat/batchStatistics",
        "inception::share_ flat/batchStatistics",
        "inception::wait_ flat/batchStatistics flat/batchStatistics",
        "aten::lerp_.Tensor flat/statistics flat/batchStatistics",
      ]
    `);
    expect(statisticsIn({}, [4, 2], { batchNormMomentum: 0.1 })).toMatchInlineSnapshot(`
      [
        "inception::accumulate_ flat/statisticsSums flat/batchStatistics",
        "inception::share_ flat/statisticsSums",
        "inception::wait_ flat/statisticsSums flat/batchStatistics",
        "aten::lerp_.Scalar flat/statistics flat/statisticsSums",
        "aten::zero_ flat/statisticsSums",
      ]
    `);
  });

  it('stay in the process where they are not averaged in the step', () => {
    for (const average of ['broadcast', 'none'] as const) {
      expect(statisticsIn({ average }, [2, 2])).toEqual([
        'aten::clone flat/statistics',
        'aten::lerp_.Tensor flat/statistics',
        'aten::copy_ flat/statistics',
      ]);
      expect(statisticsIn({ average }, [4, 2])).toMatchInlineSnapshot(`
        [
          "aten::add_.Tensor flat/statisticsSums flat/batchStatistics",
          "aten::mul_.Scalar flat/statisticsSums",
          "aten::lerp_.Tensor flat/statistics flat/statisticsSums",
          "aten::zero_ flat/statisticsSums",
        ]
      `);
    }
  });

  it('are divided by the replicas that a process had', () => {
    const divided = (program: Program | undefined) =>
      callsOf(program as Program).find(
        ({ operator, stored }) => operator === 'aten::mul_.Scalar' && stored[0] === 'flat/statisticsSums',
      )?.args[1];
    const { step, idle } = compile(replicas(5, 2, { average: 'none' }));
    expect([divided(step), divided(idle)]).toEqual([1 / 3, 1 / 2]);
  });

  it('are those of all processes together where batch normalisation is synchronised', () => {
    const { step } = compile(replicas(2, 2, { batchNorm: 'synchronised' }));
    const norms = callsOf(step).filter(({ operator }) => /batch_norm_relu(_backward)?$/.test(operator));
    expect(norms.length).toBeGreaterThan(40);
    for (const { args } of norms) expect(args.at(-1)).toBe(true);
    expect(traffic(step).join('\n')).not.toContain('batchStatistics');
  });

  it('are gathered for libtorch’s operators, once forward and once backward for each layer', () => {
    const { step } = compile({ ...replicas(2, 2, { batchNorm: 'synchronised' }), kernels: 'aten' });
    const operators = callsOf(step).map(({ operator }) => operator);
    const count = (name: string) => operators.filter((operator) => operator === name).length;
    expect(count('inception::gather_all')).toBe(2 * count('aten::native_batch_norm'));
  });

  it('make a batch of one in each process enough where they are synchronised', () => {
    const single = { batch: 1, batchNorm: 'batch' } as const;
    expect(() => compile({ ...single, ...replicas(2, 2) })).toThrow('sees one value per channel');
    expect(() => compile({ ...single, ...replicas(2, 2, { batchNorm: 'synchronised' }) })).not.toThrow();
  });
});

describe('replicas that cannot be', () => {
  it.each<[Partial<TrainingOptions>, string]>([
    [replicas(0, 1), "training option 'replicas.count': expected a whole number of at least 1; received 0"],
    [
      replicas(2, 1.5),
      "training option 'replicas.processes': expected a whole number of at least 1; received 1.5",
    ],
    [
      replicas(1, 3),
      "training option 'replicas.count': one replica is trained by one process; received 3 processes",
    ],
    [
      replicas(4, 2, { batchNorm: 'synchronised' }),
      "training option 'replicas.batchNorm': batch normalisation cannot be synchronised over 4 replicas in 2 processes, because the replicas of one process run one after another; use as many processes as replicas, or 'own'",
    ],
    [
      replicas(2, 3, { batchNorm: 'synchronised' }),
      "training option 'replicas.batchNorm': batch normalisation cannot be synchronised over 2 replicas in 3 processes, because a process without a replica has no statistics to send; use as many processes as replicas, or 'own'",
    ],
  ])('%o are refused', (more, message) => {
    expect(() => compile(more)).toThrow(message);
  });
});

describe('the printed program', () => {
  it('shows what travels under the name of its bucket', () => {
    const { step } = compile(replicas(20, 2, { reduce: 'bfloat16' }));
    const text = printProgram(step);
    expect(text.split('\n')[0]).toBe(
      'program inception-resnet-v2 train batch 4 bfloat16 20 replicas in 2 processes',
    );
    expect(text).toMatch(/# bucket 2\n(.*load.*\n)+ *\d+ {2}inception::accumulate_\(%\d+, %\d+, 2, true\)\n/);
  });
});

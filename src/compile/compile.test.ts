import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build-graph.ts';
import type { Graph } from '../graph/graph.ts';
import { configure, findNetwork, type NetworkOptions, networks } from '../networks/networks.ts';
import { compileInference } from './inference/compile-inference.ts';
import { mergeStores } from './merge-stores.ts';
import { scalarInputs, stateNames, usualOptimizers } from './optimizers/optimizers.ts';
import type { TrainingOptions } from './options.ts';
import { type Program, printProgram } from './program.ts';
import { compileTraining } from './training/compile-training.ts';

const numbers: TrainingOptions = {
  batch: 8,
  precision: 'bfloat16',
  optimizer: { decay: 0.9, epsilon: 1, momentum: 0.9 },
  weightDecay: 4e-5,
  labelSmoothing: 0.1,
  auxiliaryLossWeight: 0.4,
  batchNormMomentum: 0.0003,
  clipNorm: undefined,
};

const graphOf = (name: string, options: NetworkOptions = {}) =>
  buildGraph(configure(findNetwork(name), options));
const operators = (program: Program) =>
  program.steps.flatMap((step) => (step.do === 'call' ? [step.operator] : []));

describe('compileTraining', () => {
  const cases = networks.flatMap(({ name }) =>
    (['float32', 'bfloat16'] as const).map((precision) => [name, precision] as const),
  );
  it.each(cases)(
    'compiles %s in %s to a program that passes its check, with and without merging',
    (name, precision) => {
      const graph = graphOf(name, { auxiliary: true });
      for (const mergeSiblings of [true, false]) {
        const { step } = compileTraining(graph, { ...numbers, precision, passes: { mergeSiblings } });
        expect(step.outputs).toEqual(
          expect.arrayContaining(['loss', 'wrong', 'zeroShare', 'auxiliaryLoss', 'gradientNorm']),
        );
      }
    },
  );

  it.each(Object.values(usualOptimizers))(
    'updates with $kind only, by native or libtorch operators',
    (optimizer) => {
      const graph = graphOf('inception-v3');
      const { store, step } = compileTraining(graph, { ...numbers, optimizer });
      const native = operators(step).filter((name) => /^inception::(rmsprop|sgd|adamw)_$/.test(name));
      expect(new Set(native)).toEqual(new Set([`inception::${optimizer.kind}_`]));
      const stored = store.tensors.map(({ name }) => name);
      expect(stored).toEqual(expect.arrayContaining(stateNames(optimizer).map((name) => `flat/${name}`)));
      const portable = compileTraining(graph, { ...numbers, optimizer, kernels: 'aten' }).step;
      expect(operators(portable).filter((name) => name.startsWith('inception::'))).toEqual([]);
      const scalars = Object.keys(scalarInputs(optimizer, 1));
      expect(step.inputs.map(({ name }) => name)).toEqual(expect.arrayContaining(scalars));
    },
  );

  it.each<[options: Partial<TrainingOptions>, message: string]>([
    [
      { batch: 0 },
      "training option 'batch': expected a whole number of at least 1 and at most 65536; received 0",
    ],
    [{ batch: 2.5 }, "training option 'batch'"],
    [
      { labelSmoothing: 1 },
      "training option 'labelSmoothing': expected a number of at least 0 and below 1; received 1",
    ],
    [{ batchNormMomentum: -1 }, "training option 'batchNormMomentum'"],
    [{ clipNorm: 0 }, "training option 'clipNorm'"],
    [{ optimizer: { decay: 0.9, epsilon: -1, momentum: 0.9 } }, "training option 'optimizer.epsilon'"],
  ])('refuses %o', (options, message) => {
    const graph = graphOf('inception-v3');
    expect(() => compileTraining(graph, { ...numbers, ...options })).toThrow(message);
    if (options.batch !== undefined)
      expect(() => compileInference(graph, { batch: options.batch as number, precision: 'float32' })).toThrow(
        "option 'batch': expected a whole number",
      );
  });

  it('takes time in proportion to the network', () => {
    const secondsFor = (graph: Graph) =>
      Math.min(
        ...Array.from({ length: 5 }, () => {
          // CPU time, so that other load on the machine does not count; it includes the garbage collector's threads.
          const begin = process.cpuUsage();
          compileTraining(graph, numbers);
          const { user, system } = process.cpuUsage(begin);
          return (user + system) / 1e6;
        }),
      );
    const large = graphOf('inception-resnet-v2-released');
    const small = graphOf('inception-resnet-v2-released', { blocks: { A: 1, B: 1, C: 1 } });
    const times = large.nodes.length / small.nodes.length;
    const seconds = [secondsFor(large), secondsFor(small)] as const;
    expect(seconds[0]).toBeLessThan(4 * times * seconds[1]);
  });

  it('lets programs compiled with different passes, and evaluation, share one store', () => {
    const graph = graphOf('inception-v4');
    const merged = compileTraining(graph, numbers).store;
    const unmerged = compileTraining(graph, { ...numbers, passes: { mergeSiblings: false } }).store;
    expect(unmerged).toEqual(merged);
    const evaluation = compileInference(graph, {
      batch: 4,
      precision: 'bfloat16',
      parameters: 'averages',
    }).store;
    expect(mergeStores(merged, evaluation).tensors.length).toBe(merged.tensors.length);
  });

  it('refuses a batch of one where batch normalisation would see a single value', () => {
    const graph = graphOf('inception-resnet-v2', { inputSize: 75, auxiliary: false });
    expect(() => compileTraining(graph, { ...numbers, batch: 1 })).toThrow(
      /^reductionB\/branch0\/conv2: batch normalisation sees one value per channel \(batch 1 on a 1×1 grid\); use a batch of at least 2 or a larger input$/,
    );
  });

  it('refuses an unknown endpoint and lists the known ones', () => {
    expect(() => compileTraining(graphOf('inception-v3'), { ...numbers, endpoints: ['Mixed_6e'] })).toThrow(
      /^there is no endpoint 'Mixed_6e'; there are stem\/conv1, .*inceptionB\/3, .*logits$/,
    );
  });
});

describe('compileInference', () => {
  it('needs no batch normalisation, no scale and no dropout at run time', () => {
    const { predict } = compileInference(graphOf('inception-resnet-v2'), { batch: 1, precision: 'float32' });
    expect(new Set(operators(predict))).toEqual(
      new Set([
        'aten::permute',
        'aten::_to_copy',
        'aten::mul_.Scalar',
        'aten::sub_.Scalar',
        'inception::convolution_packed',
        'inception::max_pool',
        'aten::cat',
        'aten::slice.Tensor',
        'aten::clone',
        'aten::mean.dim',
        'aten::t',
        'aten::addmm',
        'aten::_softmax',
      ]),
    );
  });

  it('packs every weight in the prepare program, and stores nothing else', () => {
    const graph = graphOf('inception-resnet-v2');
    const { prepare, predict, store } = compileInference(graph, { batch: 1, precision: 'bfloat16' });
    const packedCount = operators(predict).filter(
      (operator) => operator === 'inception::convolution_packed',
    ).length;
    expect(operators(prepare).filter((operator) => operator === 'inception::pack_convolution')).toHaveLength(
      packedCount,
    );
    expect(store.computed).toHaveLength(2 * packedCount);
    expect(printProgram(prepare)).toMatch(
      /# stem\/conv1\n(.*\n)+? *\d+ {2}(%\d+) = inception::pack_convolution\(%\d+, \[1, 3, 299, 299\], \[2, 2\], \[0, 0\], false, true\)\n(.*\n)+? *\d+ {2}store prepared\/weights\/bfloat16\/stem\/conv1\/weight = \2\n/,
    );
  });

  it('prints a small network step by step', () => {
    const graph = graphOf('inception-resnet-v1', {
      width: 0.125,
      blocks: { A: 1, B: 1, C: 1 },
      inputSize: 75,
      classes: 10,
    });
    const text = printProgram(compileInference(graph, { batch: 2, precision: 'float32' }).predict);
    expect(text.split('\n').slice(0, 16).join('\n')).toMatchInlineSnapshot(`
      "program inception-resnet-v1 infer batch 2 float32
      inputs images: uint8[2, 75, 75, 3]
      # input
        0  %0 = input images
        1  %1 = aten::permute(%0, [0, 3, 1, 2])
        2  free %0
        3  %2 = aten::_to_copy(%1, dtype=float32)
        4  free %1
        5  %3 = aten::mul_.Scalar(%2, 0.00784313725490196)
        6  free %2
        7  %4 = aten::sub_.Scalar(%3, 1)
        8  free %3
      # stem/conv1
        9  %5 = load prepared/weights/float32/stem/conv1/weight
       10  %6 = load prepared/weights/float32/stem/conv1/bias
       11  %7 = inception::convolution_packed(%4, %5, %6, none, [2, 2], [0, 0], true)"
    `);
  });
});

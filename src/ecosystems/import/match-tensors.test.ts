import { describe, expect, it } from 'vitest';
import { goldenFile } from '../../../test/golden/golden-file.ts';
import { UsageError } from '../../errors.ts';
import type { TensorFile } from '../../weights/tensor-file.ts';
import { type ImportOptions, planImport } from './plan-import.ts';

/** Weights of torchvision's Inception-v3 as people save them, by changes of the whole file. */
describe('a network that people have changed', () => {
  const v3 = goldenFile('torchvision_inception_v3');
  const shapes = [...v3.tensors.values()].map(({ name, shape }) => [name, shape] as const);
  const fileOf = (tensors: readonly (readonly [string, readonly number[]])[]): TensorFile => ({
    ...v3,
    tensors: new Map(tensors.map(([name, shape]) => [name, { name, dtype: 'F32', shape }])),
  });
  const with5 = (name: string) => (name.endsWith('weight') ? [5, 2048] : [5]);
  const isFc = (name: string) => name.startsWith('fc.');
  const isAuxiliary = (name: string) => name.startsWith('AuxLogits.');
  const body = shapes.filter(([name]) => !isFc(name));
  const read = (tensors: readonly (readonly [string, readonly number[]])[], options: ImportOptions = {}) => {
    const { description, decisions, parameters } = planImport(fileOf(tensors), 'x.pth', {
      from: 'torchvision',
      network: 'inception-v3',
      ...options,
    });
    const { classes, auxiliary } = description.options;
    const from = parameters.find(({ parameter }) => parameter.name === 'logits/weight')?.from;
    return { classes, auxiliary, decisions, from };
  };
  const dropped = 'auxiliary classifier left out: it has 1000 outputs, the classifier 5 (12 tensors)';

  it.each(['module.', 'model.', 'backbone.', 'net.', 'encoder.', 'timm_model.', '_orig_mod.module.'])(
    'is read under the prefix %s',
    (prefix) => {
      const plan = planImport(fileOf(shapes.map(([name, shape]) => [prefix + name, shape])), 'x.ckpt');
      expect(plan.description.options).toMatchObject({ classes: 1000, auxiliary: true });
      expect(plan.decisions[0]).toBe(`names without the prefix '${prefix}'`);
      expect(plan.parameters[0]?.from).toBe(`${prefix}Conv2d_1a_3x3.conv.weight`);
    },
  );

  it('leaves out what is not under the prefix: counters, losses', () => {
    const tensors = [
      ...shapes.map(([name, shape]) => [`module.${name}`, shape] as const),
      ['n_averaged', []] as const,
      ['criterion.weight', [5]] as const,
    ];
    expect(read(tensors).decisions.slice(0, 2)).toEqual([
      "names without the prefix 'module.'",
      "left out 2 tensors without the prefix 'module.': n_averaged, criterion.weight",
    ]);
  });

  it('is read once: averaged weights first, and not at all if nothing says which', () => {
    const twice = (a: string, b: string) => [
      ...shapes.map(([name, shape]) => [a + name, shape] as const),
      ...shapes.map(([name, shape]) => [b + name, shape] as const),
    ];
    const { from, decisions } = read(twice('model.', 'ema_model.'));
    expect(from).toBe('ema_model.fc.weight');
    expect(decisions[0]).toBe("names without the prefix 'ema_model.', the averaged weights, not 'model.'");
    expect(() => planImport(fileOf(twice('student.', 'teacher.')), 'x.pth')).toThrow(
      "x.pth: torchvision's inception-v3 is in it several times, under 'student.', 'teacher.'; save the one that is meant",
    );
    expect(() => read(twice('student.', 'teacher.'))).toThrow('is in it several times');
  });

  it('has a new fc and the old auxiliary classifier', () => {
    const tensors = shapes.map(([name, shape]) => [name, isFc(name) ? with5(name) : shape] as const);
    expect(read(tensors)).toMatchObject({ classes: 5, auxiliary: undefined, decisions: [dropped] });
    expect(read(tensors, { auxiliary: false }).decisions).toEqual([
      'auxiliary classifier left out: as asked for (12 tensors)',
    ]);
    expect(read(tensors, { resetClassifier: 7 })).toMatchObject({
      classes: 7,
      auxiliary: true,
      from: undefined,
    });
  });

  it.each(['fc.1.', 'classifier.', 'head.linear.'])('has its classifier at %s', (module) => {
    const head = ['weight', 'bias'].map((name) => [module + name, with5(name)] as const);
    const found = `classifier read from '${module}weight', 5 outputs`;
    expect(read([...body, ...head])).toMatchObject({
      classes: 5,
      from: `${module}weight`,
      decisions: [found, dropped],
    });
    const inside = [...body.map(([name, shape]) => [`backbone.${name}`, shape] as const), ...head];
    expect(read(inside)).toMatchObject({ classes: 5, from: `${module}weight` });
    expect(read([...body, ...head], { resetClassifier: 3 })).toMatchObject({ classes: 3, auxiliary: true });
  });

  it('has no classifier', () => {
    expect(read(body)).toMatchObject({
      classes: 0,
      decisions: ['auxiliary classifier left out: the network has no classifier (12 tensors)'],
    });
    const bare = body.filter(([name]) => !isAuxiliary(name));
    expect(read(bare, { resetClassifier: 4 })).toMatchObject({ classes: 4, from: undefined });
    expect(() => read(bare, { auxiliary: false })).toThrow(
      new UsageError(
        'x.pth: --no-auxiliary has no effect, no tensor of the file belongs to an auxiliary classifier',
      ),
    );
  });

  it.each(['fc.', 'head.'])(
    'has a classifier without bias at %s, for which zeros are taken',
    async (module) => {
      const bare = body.filter(([name]) => !isAuxiliary(name));
      const file = fileOf([...bare, [`${module}weight`, [5, 2048]]]);
      const { decisions, parameters, description } = planImport(file, 'x.pth');
      expect(description.options.classes).toBe(5);
      expect(decisions).toContain('the classifier has no bias in the file: zeros are taken');
      const bias = parameters.find(({ parameter }) => parameter.name === 'logits/bias');
      expect([bias?.from, bias?.note, await bias?.read()]).toEqual([undefined, 'zeros', new Float32Array(5)]);
    },
  );

  it('has hidden layers in its classifier, which are read in their order or left out', () => {
    const head = [
      ['fc.0.weight', [256, 2048]],
      ['fc.0.bias', [256]],
      ['fc.3.weight', [5, 256]],
      ['fc.3.bias', [5]],
    ] as const;
    expect(read([...body, ...head])).toMatchObject({
      classes: 5,
      from: 'fc.3.weight',
      decisions: [
        "classifier with hidden layers read from 'fc.0.weight' (2048 to 256), 'fc.3.weight' (256 to 5)",
        dropped,
        'the file does not say the activation of the hidden layers: ReLU is taken (--reset-classifier N leaves the head out)',
      ],
    });
    // Of layers with as many inputs as outputs, the numbers in the names say the order.
    const square = [
      ['fc.0.weight', [256, 2048]],
      ['fc.0.bias', [256]],
      ['fc.10.weight', [5, 256]],
      ['fc.10.bias', [5]],
      ['fc.2.weight', [256, 256]],
      ['fc.2.bias', [256]],
    ] as const;
    expect(read([...body, ...square]).decisions[0]).toBe(
      "classifier with hidden layers read from 'fc.0.weight' (2048 to 256), 'fc.2.weight' (256 to 256), 'fc.10.weight' (256 to 5)",
    );
    expect(read([...body, ...head], { resetClassifier: 5 })).toMatchObject({
      classes: 5,
      decisions: [
        'left out the classifier, which is replaced: fc.0.weight, fc.0.bias, fc.3.weight, and 1 more',
      ],
    });
    const two = [
      ['age.weight', [9, 2048]],
      ['sex.weight', [2, 2048]],
    ] as const;
    expect(() => read([...body, ...two])).toThrow(
      "several layers read its 2048 features: 'age.weight' (2048 to 9), 'sex.weight'",
    );
  });

  it('is called the same by two libraries, which is said', () => {
    const bare = shapes.filter(([name]) => !isAuxiliary(name));
    expect(planImport(fileOf(bare), 'x.pth').decisions).toEqual([
      "taken for timm's: the tensors' names are those of torchvision too, which prepares images otherwise (--from torchvision)",
      "no labels: the 1,000 outputs are taken for ImageNet's classes (--model-labels FILE gives others)",
    ]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFixture } from '../../test/golden/fixture.ts';
import { sampleModel } from '../../test/sample-model.ts';
import type { Engine, HostTensor } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { UsageError } from '../errors.ts';
import type { Image } from '../images/image.ts';
import { type LoadedModel, loadModel } from '../predict/load-model.ts';
import { choosePart } from './choose-part.ts';
import { describeExplanation, drawEffectiveField, drawExplanation } from './draw-explanation.ts';
import { describeEffectiveField, effectiveField } from './effective-field.ts';
import { explain } from './explain.ts';
import { findClass } from './find-class.ts';
import { gradCam, saliency } from './value-maps.ts';

const tensor = (shape: readonly number[], data: readonly number[]): HostTensor => ({
  dtype: 'float32',
  shape,
  data: new Float32Array(data),
});

describe('gradCam', () => {
  const expected = readFixture<{
    readonly source: string;
    readonly deep: { readonly activation: readonly number[]; readonly gradient: readonly number[] };
    readonly grad_cam_of_deep: readonly number[];
  }>('own-networks/explanation.json');

  it(`gives the maps that ${expected.source} gives`, () => {
    const { activation, gradient } = expected.deep;
    for (const image of [0, 1]) {
      const part = (values: readonly number[]) =>
        tensor([1, 16, 3, 3], values.slice(image * 144, (image + 1) * 144));
      const { height, width, values } = gradCam({ activation: part(activation), gradient: part(gradient) });
      expect([height, width]).toEqual([3, 3]);
      values.forEach((value, cell) => {
        expect(value).toBeCloseTo(expected.grad_cam_of_deep[image * 9 + cell] as number, 7);
      });
    }
  });
});

describe('saliency', () => {
  it('is the largest absolute gradient among the channels, of the mean over the samples', () => {
    const first = tensor([1, 2, 1, 2], [1, -4, 2, 3]);
    expect([...saliency([first]).values]).toEqual([2, 4]);
    const second = tensor([1, 2, 1, 2], [1, 4, -2, 3]);
    expect([...saliency([first, second]).values]).toEqual([1, 3]);
  });
});

describe('choosePart', () => {
  it('takes the last grid, or the last of more than one cell and says so', () => {
    const { graph } = sampleModel('inception-v4', { inputSize: 139 });
    expect(choosePart(graph)).toEqual({ part: { name: 'inceptionC', height: 3, width: 3 } });
    const small = sampleModel('inception-v4', { inputSize: 75 }).graph;
    expect(choosePart(small)).toEqual({
      part: { name: 'inceptionB', height: 3, width: 3 },
      skipped: 'the last grid has one cell, which shows no place',
    });
    expect(choosePart(graph, 'inceptionA/0').part).toMatchObject({ name: 'inceptionA/0' });
  });

  it.each(['inceptionZ', 'averagePooling', 'auxiliary/logits'])(
    'refuses %s with the list of parts',
    (part) => {
      const { graph } = sampleModel('inception-v4', { inputSize: 139, auxiliary: true });
      expect(() => choosePart(graph, part)).toThrow(UsageError);
      expect(() => choosePart(graph, part)).toThrow(
        /part: expected a part with a grid of more than one cell: .*inceptionC \(3×3\); received '/,
      );
    },
  );
});

describe('findClass', () => {
  it('takes a label that is its own identifier', () => {
    const synsets = ['n1', 'n2'];
    expect(findClass('n2', { classes: synsets, classIds: synsets })).toBe(1);
  });

  const labels = { classes: ['crane', '10', 'dog', 'crane'], classIds: ['n1', 'n2', 'n3', 'n4'] };

  it('finds a label, an identifier, or an output by number', () => {
    expect(['dog', 'n4', '10', '3', 3].map((wanted) => findClass(wanted, labels))).toEqual([2, 3, 1, 3, 3]);
  });

  it('says what is wrong with others', () => {
    expect(() => findClass('crane', labels)).toThrow(
      "class: 'crane' is the label of the outputs 0, 3; expected one of these numbers or an identifier",
    );
    for (const wanted of ['cat', 4, -1])
      expect(() => findClass(wanted, labels)).toThrow(
        `class: expected a label or the number of an output, received '${wanted}'; the labels are crane, 10, dog, crane`,
      );
  });
});

describe('explain', () => {
  const image: Image = {
    height: 60,
    width: 90,
    channels: 3,
    data: Uint8Array.from({ length: 60 * 90 * 3 }, (_, at) => (at * 31) % 251),
  };
  let engine: Engine;
  let model: LoadedModel;
  beforeAll(async () => {
    engine = openTorch({ device: 'cpu', threads: 1 });
    model = await loadModel(sampleModel('inception-v3', { width: 0.125 }), { engine, precision: 'float32' });
  });
  afterAll(() => engine.close());

  it('maps the most probable class, and draws it with a legend', async () => {
    const explanation = await explain(model, image, { part: 'inceptionB' });
    const { index, label, predicted, probability, map, box, top } = explanation;
    expect([index, label, probability]).toEqual([
      predicted[0].index,
      predicted[0].label,
      predicted[0].probability,
    ]);
    expect(Math.max(...map.values)).toBe(top);
    expect(box).toEqual({ top: 3.75, left: 5.625, height: 52.5, width: 78.75 });
    expect(describeExplanation(explanation)).toMatch(/^class \d, \d+\.\d% · Grad-CAM of inceptionB, 3×3$/);
    const { image: drawn } = await drawExplanation(image, explanation);
    expect(drawn.width).toBe(480);
    expect(drawn.height).toBeGreaterThan(320);
  });

  it('maps another class, by gradients of the input too, and repeats its noise', async () => {
    const plain = await explain(model, image, { method: 'input-gradient', class: 'class 4' });
    expect(plain).toMatchObject({ method: 'input-gradient', index: 4, label: 'class 4' });
    expect([plain.map.height, plain.map.width]).toEqual([75, 75]);
    const options = { method: 'smooth-grad', class: 4, samples: 2 } as const;
    const smooth = await explain(model, image, options);
    expect(smooth.map.values).not.toEqual(plain.map.values);
    expect((await explain(model, image, options)).map.values).toEqual(smooth.map.values);
  });

  it('finds which pixels change a unit: none outside what its windows reach, and fewer than these', async () => {
    const field = await effectiveField(model, image, { part: 'inceptionA/0' });
    expect(field).toMatchObject({ part: 'inceptionA/0', unit: { row: 3, column: 3 }, notices: [] });
    const { top, left, bottom, right } = field.windows;
    field.map.values.forEach((value, pixel) => {
      const [row, column] = [Math.floor(pixel / 75), pixel % 75];
      const inside = row >= top && row <= bottom && column >= left && column <= right;
      if (!inside) expect(value, `${row},${column}`).toBe(0);
    });
    expect(field.effectiveSide).toBeGreaterThan(1);
    expect(field.effectiveSide).toBeLessThan(Math.sqrt((bottom - top + 1) * (right - left + 1)));
    expect(describeEffectiveField(field)).toMatch(
      /^receptive field of inceptionA\/0, unit 3,3: \d+×\d+ pixels by its windows, about \d+×\d+ by gradients$/,
    );
    expect((await drawEffectiveField(image, field)).image.width).toBe(480);
  });

  it("takes a part's gradient by the input so that the chain rule gives that of a logit", async () => {
    const input = new Uint8Array(75 * 75 * 3).map((_, at) => (at * 17) % 256);
    const logitWeights = Float32Array.from({ length: 7 }, (_, at) => (at === 2 ? 1 : 0));
    const part = 'reductionA';
    const ofPart = await model.gradient(input, { logitWeights, endpoint: part });
    const chained = await model.partGradient(input, {
      part,
      partWeights: ofPart.gradient.data as Float32Array,
    });
    const { gradient } = await model.gradient(input, { logitWeights });
    const largest = Math.max(...(gradient.data as Float32Array).map(Math.abs));
    expect(chained.shape).toEqual(gradient.shape);
    (chained.data as Float32Array).forEach((value, at) => {
      expect(Math.abs(value - Number(gradient.data[at]))).toBeLessThan(1e-4 * largest);
    });
  });

  it('refuses options without effect', async () => {
    const cases = [
      [
        { method: 'input-gradient', part: 'stem' },
        "part: has no effect with 'input-gradient', which looks at the input",
      ],
      [{ samples: 3 }, "samples: has no effect with 'grad-cam'"],
      [{ method: 'smooth-grad', samples: 1 }, 'samples: expected a whole number of at least 2, received 1'],
    ] as const;
    for (const [options, message] of cases)
      await expect(explain(model, image, options)).rejects.toThrow(new UsageError(message));
  });

  it('refuses gradients that are not numbers', async () => {
    const broken: LoadedModel = {
      ...model,
      gradient: async () => {
        const one = tensor([1, 1, 1, 2], [Number.NaN, 1]);
        return { logits: one, probabilities: one, activation: one, gradient: one };
      },
    };
    for (const method of ['grad-cam', 'input-gradient'] as const)
      await expect(explain(broken, image, { method })).rejects.toThrow(
        'a small inception-v3: the gradients of this image are not numbers',
      );
  });
});

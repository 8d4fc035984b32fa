import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sampleModel } from '../../../../test/sample-model.ts';
import { DataError } from '../../../data/data-error.ts';
import type { Dataset } from '../../../data/dataset.ts';
import { syntheticImages } from '../../../images/synthetic-images.ts';
import { quantisationOf } from '../../../int8/quantisation.ts';
import { type CalibrationMethod, calibrationMethods } from '../../../int8/range-finding.ts';
import type { OnnxGraph, OnnxTensor } from '../../onnx-graph.ts';
import { exportOnnx } from '../export-onnx.ts';
import { onnxGraphOf } from '../onnx-graph-of.ts';
import { calibrate } from './calibrate.ts';
import { planQuantisation, quantise } from './quantise.ts';

const folder = mkdtempSync(join(tmpdir(), 'inception-int8-'));
afterAll(() => rmSync(folder, { recursive: true }));

const model = sampleModel('inception-v4');
const { preprocessing, classes } = model.description;

/** Images without labels. */
const images = (length: number): Dataset => {
  const all = syntheticImages(preprocessing, length);
  const bytes = all.length / length;
  return {
    name: `${length} images`,
    length,
    classes: [],
    label: () => -1,
    nameOf: String,
    image: (index) => ({
      height: 75,
      width: 75,
      channels: 3,
      data: all.subarray(index * bytes, (index + 1) * bytes),
    }),
  };
};

/** The same images, of which one is corrupt. */
const withCorrupt = (dataset: Dataset, corrupt: number): Dataset => ({
  ...dataset,
  image: (index) => {
    if (index === corrupt) throw new DataError(`${index}: cannot be decoded`);
    return dataset.image(index);
  },
});

const whole = { ...preprocessing, crop: 1 };

async function quantised(method: CalibrationMethod): Promise<{ float32: OnnxGraph; int8: OnnxGraph }> {
  const float32 = await onnxGraphOf(model);
  const plan = planQuantisation(float32);
  const ranges = await calibrate(float32, plan.values, {
    dataset: images(8),
    preprocessing: whole,
    method,
  });
  return { float32, int8: quantise(float32, { plan, ranges }) };
}

describe('calibrate', () => {
  it('leaves out a corrupt image and names it once, over both passes', async () => {
    const float32 = await onnxGraphOf(model);
    const { values } = planQuantisation(float32);
    const eight = images(8);
    const seven = {
      ...eight,
      length: 7,
      image: (index: number) => eight.image(index < 3 ? index : index + 1),
    };
    const options = { preprocessing: whole, method: 'percentile' } as const;
    const broken: [number, string][] = [];
    const ranges = await calibrate(float32, values, {
      ...options,
      dataset: withCorrupt(eight, 3),
      onBroken: (index, { message }) => broken.push([index, message]),
    });
    expect(broken).toEqual([[3, '3: cannot be decoded']]);
    expect(ranges).toEqual(await calibrate(float32, values, { ...options, dataset: seven }));
  });
});

describe('quantise', () => {
  it('keeps the images, the first convolution and the classifier float, and makes every other weight int8', async () => {
    const { int8 } = await quantised('min-max');
    const weights = [...int8.constants].filter(([name]) => name.endsWith('/weight'));
    const float = weights.filter(([, { type }]) => type === 'float32').map(([name]) => name);
    expect(float).toEqual(['stem/conv1/weight', 'logits/weight']);
    expect(weights.length).toBeGreaterThan(40);
    expect(int8.nodes.some(({ name }) => name === 'images/quantised')).toBe(false);
  });

  it('gives every filter a scale of its own, by which no two neighbours of one sign exceed 128', async () => {
    const { float32, int8 } = await quantised('min-max');
    const name = 'inceptionA/0/branch1/conv2/weight';
    const [was, is, scale] = [
      float32.constants.get(name),
      int8.constants.get(name),
      int8.constants.get(`${name}/scale`),
    ] as [OnnxTensor, OnnxTensor, OnnxTensor];
    expect(scale.dims).toEqual([was.dims[0]]);
    const length = was.data.length / (was.dims[0] as number);
    for (const [filter, step] of scale.data.entries() as ArrayIterator<[number, number]>) {
      const own = is.data.slice(filter * length, (filter + 1) * length) as Int8Array;
      // Channels innermost, as processors without VNNI add the products of two bytes in 16 bits: 255 · 128 fits.
      const positions = length / (was.dims[1] as number);
      const inOrder = Array.from(own, (_, at) => {
        const [channels, position] = [was.dims[1] as number, Math.floor(at / (was.dims[1] as number))];
        return own[(at % channels) * positions + position] as number;
      });
      const pairs = inOrder.slice(1).map((value, at) => {
        const before = inOrder[at] as number;
        return value * before > 0 ? Math.abs(value + before) : 0;
      });
      const largest = Math.max(...pairs, ...inOrder.map(Math.abs));
      expect(largest).toBeGreaterThanOrEqual(126);
      expect(largest).toBeLessThanOrEqual(128);
      for (const [at, value] of own.entries()) {
        const before = Number(was.data[filter * length + at]);
        expect(Math.abs(value * step - before)).toBeLessThanOrEqual(step * 0.5001);
      }
    }
  });

  it('holds what is concatenated in the steps of the result, so that joining moves bytes', async () => {
    const { int8 } = await quantised('min-max');
    const concat = int8.nodes.find(({ outputs }) => outputs[0] === 'inceptionA/0');
    const scaleOf = (value: string) =>
      int8.constants.get(`${value.replace(/\/dequantised$/, '')}/scale`)?.data[0];
    const own = scaleOf('inceptionA/0');
    expect(own).toBeGreaterThan(0);
    expect(concat?.inputs.map(scaleOf)).toEqual([own, own, own, own]);
  });

  it('puts nothing between a convolution and its ReLU', async () => {
    const { int8 } = await quantised('min-max');
    const conv = int8.nodes.find(({ op, name }) => op === 'Conv' && name.startsWith('inceptionB/0'));
    const [reader] = int8.nodes.filter(({ inputs }) => inputs.includes(conv?.outputs[0] as string));
    expect(reader?.op).toBe('Relu');
  });

  it.each([
    [{ low: 0, high: 2.55 }, 0.01, 0],
    [{ low: -1, high: 1.55 }, 0.01, 100],
    [{ low: -2.55, high: 0 }, 0.01, 255],
    [{ low: 0, high: 0 }, 1, 0],
  ])('divides %j into 255 steps', (range, scale, zeroPoint) => {
    expect(quantisationOf(range).scale).toBeCloseTo(scale, 7);
    expect(quantisationOf(range).zeroPoint).toBe(zeroPoint);
  });
});

describe('an int8 file', () => {
  it.each(calibrationMethods)(
    'calibrated by %s stays near float32 on ONNX Runtime, and a quarter as large',
    async (method) => {
      const file = join(folder, 'int8.onnx');
      const calibration = { dataset: images(8), test: images(8), method };
      const described = { ...model, description: { ...model.description, classes, preprocessing: whole } };
      const options = { output: file, calibration } as const;
      const float32 = await exportOnnx(described, { ...options, precision: 'float32' });
      const { accuracy, bytes } = await exportOnnx(described, { ...options, precision: 'int8' });
      expect(bytes).toBeLessThan(float32.bytes * 0.32);
      expect(accuracy).toMatchObject({ images: 8, float32Error: undefined, error: undefined });
      expect(accuracy?.sameTop1).toBeGreaterThanOrEqual(0.75);
    },
  );

  it('is also calibrated on images of other classes, for which no error rate exists', async () => {
    const unknownClasses = { ...images(4), classes: ['cat', 'dog'], label: () => 1 };
    const { accuracy } = await exportOnnx(model, {
      output: join(folder, 'unknown-classes.onnx'),
      precision: 'int8',
      calibration: { dataset: unknownClasses, test: unknownClasses, method: 'min-max' },
    });
    expect(accuracy).toMatchObject({ images: 4, float32Error: undefined, error: undefined });
  });

  it('is compared on the images that can be used; a corrupt one of the test images is named once', async () => {
    const broken: string[] = [];
    const { accuracy } = await exportOnnx(model, {
      output: join(folder, 'corrupt.onnx'),
      precision: 'int8',
      calibration: {
        dataset: images(4),
        test: withCorrupt(images(4), 0),
        method: 'min-max',
        onBroken: ({ message }) => broken.push(message),
      },
    });
    expect(accuracy?.images).toBe(3);
    expect(broken).toEqual(['0: cannot be decoded']);
  });

  it('is not written without images to calibrate on', async () => {
    const options = { output: join(folder, 'none.onnx'), precision: 'int8' } as const;
    await expect(exportOnnx(model, options)).rejects.toThrow(/none\.onnx: int8 needs images for calibration/);
  });
});

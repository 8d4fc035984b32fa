/** `quantise`, and the commands that run what it writes. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../src/data/decode.ts';
import { parametersOf } from '../src/graph/graph.ts';
import { writeModel } from '../src/model/write-model.ts';
import { inception as run } from './command-in-process.ts';
import { sampleModel } from './sample-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'inception-quantise-'));
const model = join(folder, 'model.safetensors');
const int8 = join(folder, 'model-int8.safetensors');
const data = join(folder, 'images');

beforeAll(async () => {
  const classes = ['bright', 'dark'];
  const opened = sampleModel('inception-resnet-v2-released', { classes: 2 }, { classes });
  await writeModel(model, { ...opened, parameters: parametersOf(opened.graph) });
  for (const [label, name] of classes.entries()) {
    mkdirSync(join(data, name), { recursive: true });
    for (let index = 0; index < 4; index++) {
      const pixels = Uint8Array.from(
        { length: 80 * 80 * 3 },
        (_, at) => ((at * (index + 3)) % 90) + 120 * label,
      );
      const png = await encodePng({ height: 80, width: 80, channels: 3, data: pixels });
      writeFileSync(join(data, name, `${index}.png`), png);
    }
  }
  writeFileSync(join(data, 'dark', 'broken.png'), 'not an image');
});
afterAll(() => rmSync(folder, { recursive: true }));

const image = join(data, 'dark', '0.png');
const labelsOf = async (path: string, ...args: string[]) => {
  const { stdout, stderr } = await run(['classify', image, '--model', path, '--json', ...args]);
  expect(stderr).toBe('');
  const [{ labels }] = JSON.parse(stdout) as [{ labels: { label: string; probability: number }[] }];
  return labels;
};

describe('inception quantise', () => {
  it('writes the int8 model beside the model, with what int8 costs and what was left out', async () => {
    const { status, stdout, stderr } = await run(['quantise', model, '--data', data]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^int8 against float32 on 8 images of .*images.*: same top-1 on \d/);
    expect(stdout).toMatch(
      /model\.safetensors, inception-resnet-v2-released: ranges of \d+ values on \d images, \d\.\d MB in .*model-int8\.safetensors\n$/,
    );
    expect(stderr.match(/broken\.png/g)).toHaveLength(1);
    expect(existsSync(int8)).toBe(true);
  });

  it('writes a model that runs in int8, and in float32 gives what the model gave', async () => {
    const [before, after, float32, asked] = [
      await labelsOf(model, '--precision', 'float32'),
      await labelsOf(int8),
      await labelsOf(int8, '--precision', 'float32'),
      await labelsOf(int8, '--precision', 'int8'),
    ];
    expect(float32).toEqual(before);
    expect(asked).toEqual(after);
    expect(after).not.toEqual(before);
    expect(after[0]?.label).toBe(before[0]?.label);
    const { stdout } = await run(['evaluate', int8, '--data', data, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ precision: 'int8' });
  });

  it('runs by ONNX Runtime in int8 and is exported with the same ranges', async () => {
    const onnx = join(folder, 'int8.onnx');
    const { stdout, stderr } = await run(['export', int8, '--precision', 'int8', '-o', onnx]);
    expect(stderr).toContain('model-int8.safetensors: with its own ranges, of 8 images of');
    expect(stdout).toMatch(/ONNX Runtime against libtorch [\d.]+ in int8, 4 images: .*same top-1 on 4/);
    const refused = await run(['export', int8, '--precision', 'int8', '-o', onnx, '--test-images', '5']);
    expect(refused.stderr).toMatch(
      /--test-images: has no effect without --calibrate on .*int8\.safetensors, which has ranges of its own/,
    );
  });

  it('says what is without its ranges: weights of another ecosystem, and measurements', async () => {
    const weights = await run(['export', int8, '--to', 'timm', '-o', join(folder, 'timm.safetensors')]);
    expect(weights.stderr).toContain('the ranges of int8 are left out: timm has no place for them\n');
    const measured = await run([
      'bench',
      'infer',
      int8,
      '--batch',
      '1',
      '--rounds',
      '1',
      '--against',
      'none',
    ]);
    expect(measured.stderr).toContain(
      "model-int8.safetensors: an int8 model, measured in float32 or bfloat16; 'bench infer' of its export in int8 measures that\n",
    );
  });

  it.each<[args: string[], message: RegExp]>([
    [['quantise', model], /--data: .* does not say what it was trained on/],
    [
      ['quantise', model, '--data', data, '-o', 'x.onnx'],
      /--output: expected a file that ends in \.safetensors, received 'x\.onnx'/,
    ],
    [
      ['quantise', 'hub:a/b', '--data', data],
      /--output: expected a file for the int8 model, since hub:a\/b is no file here/,
    ],
    [
      ['classify', image, '--model', model, '--precision', 'int8'],
      /precision: int8 needs a quantised model, .*model\.safetensors is none; 'inception quantise .*model\.safetensors --data FOLDER' writes one/,
    ],
  ])('refuses %j as wrong usage', async (args, message) => {
    const { status, stdout, stderr } = await run(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});

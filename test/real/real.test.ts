/**
 * Files written by Keras and TensorFlow give their logits after import. write.py makes them (REAL_WEIGHTS names the folder);
 * they are hundreds of megabytes and need TensorFlow, so most runs skip this.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importWeights } from '../../src/ecosystems/import/import-weights.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { openTorch } from '../../src/engine/torch.ts';
import { loadModel } from '../../src/predict/load-model.ts';

interface Written {
  readonly name: string;
  readonly files: readonly string[];
  readonly network: string;
  readonly dialect: string;
  readonly source: string;
  /** [n, height, width, 3] */
  readonly shape: readonly [number, number, number, number];
  readonly logits: readonly (readonly number[])[];
}

const folder = process.env.REAL_WEIGHTS;
const about = folder === undefined ? undefined : join(folder, 'about.json');
const written: readonly Written[] =
  about !== undefined && existsSync(about) ? (JSON.parse(readFileSync(about, 'utf8')) as Written[]) : [];

describe.runIf(folder !== undefined)('weights that Keras and TensorFlow wrote', () => {
  let engine: Engine;
  let models: string;
  beforeAll(async () => {
    engine = openTorch({ device: 'cpu' });
    models = await mkdtemp(join(tmpdir(), 'inception-real-'));
  });
  afterAll(async () => {
    await engine.close();
    await rm(models, { recursive: true });
  });

  it('exist', () => expect(written.length).toBeGreaterThan(0));

  it.each(written.flatMap((each) => each.files.map((file) => [file, each] as const)))(
    '%s gives its logits',
    async (file, { name, network, dialect, source, shape, logits }) => {
      const output = join(models, `${file}.safetensors`);
      const [batch, height, width] = shape;
      const plan = await importWeights(join(folder as string, file), {
        output,
        inputSize: [height, width],
      });
      expect([plan.dialect, plan.description.network]).toEqual([dialect, network]);
      const model = await loadModel(output, { engine, batch, precision: 'float32' });
      const bytes = readFileSync(join(folder as string, `${name}.images`));
      const images = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
      const { data } = await model.logits(images.slice());
      model.release();
      const expected = logits.flat();
      const scale = Math.sqrt(expected.reduce((sum, value) => sum + value ** 2, 0) / expected.length);
      const worst = expected.reduce(
        (most, value, index) => Math.max(most, Math.abs(Number(data[index]) - value)),
        0,
      );
      console.log(
        `${file} (${source}): largest difference ${worst.toExponential(1)}, logits' RMS ${scale.toPrecision(2)}`,
      );
      expect(data.length).toBe(expected.length);
      // Both sides are float32, with sums in different orders.
      expect(worst / scale).toBeLessThan(1e-4);
    },
  );
});

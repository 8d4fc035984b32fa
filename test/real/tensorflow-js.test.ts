/**
 * A trained Inception-v3 gives on photographs what TensorFlow.js computes from the same files. REAL_TENSORFLOW_JS names a folder with
 * `npm install nsfwjs@4 @tensorflow/tfjs@4 @tensorflow/tfjs-backend-wasm@4 --ignore-scripts` done in it, and photographs (.jpg, .png);
 * the packages have 200 MB, so most runs skip this.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importWeights } from '../../src/ecosystems/import/import-weights.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { openTorch } from '../../src/engine/torch.ts';
import { loadModel } from '../../src/predict/load-model.ts';

interface Theirs {
  readonly version: string;
  readonly backend: string;
  readonly results: readonly {
    readonly features: readonly number[];
    readonly probabilities: readonly number[];
  }[];
}

const packages = process.env.REAL_TENSORFLOW_JS;
const side = 299;

const largest = (ours: ArrayLike<number | bigint>, theirs: readonly number[]): number =>
  theirs.reduce((most, value, index) => Math.max(most, Math.abs(Number(ours[index]) - value)), 0);

describe.runIf(packages !== undefined)('nsfwjs’s Inception-v3 on photographs', () => {
  let engine: Engine;
  let folder: string;
  beforeAll(() => {
    engine = openTorch({ device: 'cpu' });
    folder = mkdtempSync(join(tmpdir(), 'inception-tfjs-'));
  });
  afterAll(async () => {
    await engine.close();
    rmSync(folder, { recursive: true });
  });

  it('gives TensorFlow.js’s features and probabilities', async () => {
    const from = packages as string;
    const script = (path: string, ...args: readonly string[]) =>
      execFileSync(process.execPath, [path, ...args], { encoding: 'utf8', maxBuffer: 2 ** 26 });
    script('scripts/nsfwjs-model.mjs', from, join(folder, 'nsfwjs'));
    const photographs = readdirSync(from).filter((name) => /\.(jpe?g|png)$/i.test(name));
    expect(photographs.length).toBeGreaterThan(0);
    const images = new Float32Array(photographs.length * side * side * 3);
    for (const [index, name] of photographs.entries()) {
      const resized = sharp(join(from, name)).resize(side, side, { fit: 'fill' }).removeAlpha();
      const pixels = await resized.toColourspace('srgb').raw().toBuffer();
      images.set(
        Float32Array.from(pixels, (value) => value / 255),
        index * side * side * 3,
      );
    }
    writeFileSync(join(folder, 'pixels'), images);
    const theirs = JSON.parse(
      script('test/real/tensorflow-js.mjs', from, join(folder, 'nsfwjs'), join(folder, 'pixels')),
    ) as Theirs;

    const output = join(folder, 'nsfwjs.safetensors');
    const plan = await importWeights(join(folder, 'nsfwjs'), { output });
    expect(plan.description).toMatchObject({
      network: 'inception-v3',
      options: { classes: 5, hidden: [256, 128], gamma: false },
    });
    const model = await loadModel(output, { engine, precision: 'float32' });
    const differences = { features: 0, probabilities: 0 };
    for (const [index, { features, probabilities }] of theirs.results.entries()) {
      const image = images.slice(index * side * side * 3, (index + 1) * side * side * 3);
      const ours = { features: await model.embed(image), probabilities: await model.probabilities(image) };
      differences.features = Math.max(differences.features, largest(ours.features.data, features));
      differences.probabilities = Math.max(
        differences.probabilities,
        largest(ours.probabilities.data, probabilities),
      );
    }
    model.release();
    console.log(
      `TensorFlow.js ${theirs.version} (${theirs.backend}), ${photographs.length} photographs:`,
      differences,
    );
    // Both sides are float32, with sums in different orders; features reach 1.3.
    expect(differences.features).toBeLessThan(1e-5);
    expect(differences.probabilities).toBeLessThan(1e-5);
  }, 1_200_000);
});

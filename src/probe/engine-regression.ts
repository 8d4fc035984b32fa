/** Softmax regression whose rows an engine evaluates: for ImageNet's numbers of images and classes. */
import type { Engine } from '../engine/engine.ts';
import { regressionProgram, regressionStore, stored } from './regression-program.ts';
import { type Regression, type RegressionData, regressionBy } from './softmax-regression.ts';

export async function openRegression(engine: Engine, data: RegressionData): Promise<Regression> {
  const { values, labels, classes } = data;
  const rows = labels.length;
  const features = values.length / rows;
  const shape = { rows, features, classes };
  const store = await engine.createStore(regressionStore(shape));
  await store.write(stored.features, values);
  await store.write(stored.labels, BigInt64Array.from(labels, BigInt));
  const program = await engine.load(regressionProgram(shape), store);
  const size = classes * features;
  return regressionBy(
    async (point, share) => {
      const { losses, predicted, weightGradient, biasGradient } = await program.run({
        weight: Float32Array.from(point.subarray(0, size)),
        bias: Float32Array.from(point.subarray(size)),
        share,
      });
      return {
        losses: losses?.data as Float32Array,
        predicted: predicted?.data as BigInt64Array,
        weightGradient: weightGradient?.data as Float32Array,
        biasGradient: biasGradient?.data as Float32Array,
      };
    },
    {
      data,
      release: () => {
        program.release();
        store.release();
      },
    },
  );
}

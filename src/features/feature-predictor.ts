/** A model as a predictor of features instead of probabilities, so that they are batched and decoded as predictions are. */
import type { HostTensor } from '../engine/engine.ts';
import { ModelError } from '../model/description.ts';
import { problemWith } from '../predict/check-values.ts';
import type { LoadedModel } from '../predict/load-model.ts';
import type { Predictor } from '../predict/predict-images.ts';
import type { Part } from './parts.ts';

/** Predicts the features of all parts, one part after the other: [batch, sum of their lengths]. One forward pass gives all. */
export function featurePredictor(
  model: Pick<LoadedModel, 'features' | 'source'>,
  { parts, batch }: { readonly parts: readonly Part[]; readonly batch: number },
): Predictor {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const endpoints = [...new Set(parts.map(({ endpoint }) => endpoint))];
  return {
    batch,
    classes: length,
    predict: async (images) => {
      const outputs = await model.features(images, { endpoints });
      const rows = new Float32Array(batch * length);
      let offset = 0;
      for (const part of parts) {
        const pooled = averageOverGrid(outputs[part.endpoint] as HostTensor);
        if (pooled.length !== batch * part.length)
          throw new ModelError(
            `${model.source}: ${part.name}: expected ${batch} × ${part.length} features, received ${pooled.length}`,
          );
        const problem = problemWith(pooled, { outputs: part.length, kind: 'features' });
        if (problem !== undefined) throw new ModelError(`${model.source}: ${part.name}: ${problem}`);
        for (let row = 0; row < batch; row++)
          rows.set(pooled.subarray(row * part.length, (row + 1) * part.length), row * length + offset);
        offset += part.length;
      }
      return rows;
    },
  };
}

/** The mean over the grid: [n, c, h, w] or [n, c] to [n, c]. */
export function averageOverGrid({ data, shape }: HostTensor): Float32Array {
  const values = data as Float32Array;
  const [count = 0, channels = 0, ...grid] = shape;
  const cells = grid.reduce((product, size) => product * size, 1);
  if (cells === 1) return values;
  const means = new Float32Array(count * channels);
  for (let row = 0; row < means.length; row++) {
    let sum = 0;
    for (let at = row * cells; at < (row + 1) * cells; at++) sum += values[at] as number;
    means[row] = sum / cells;
  }
  return means;
}

/** Runs a weights model with libtorch. */
import type { InferencePrecision } from '../compile/options.ts';
import type { Engine } from '../engine/engine.ts';
import { inputBytes } from '../images/preprocess.ts';
import { ModelError } from '../model/description.ts';
import type { ModelFile } from '../model/model-file.ts';
import { problemWith } from '../predict/check-values.ts';
import { loadModel } from '../predict/load-model.ts';
import type { PredictingModel } from './predicting-model.ts';

export interface LibtorchOptions {
  readonly engine: Engine;
  readonly precision: InferencePrecision;
  /** Batch size. */
  readonly batch: number;
  /** Batch size of the program compiled now; programs for other sizes are compiled on demand. */
  readonly compiledBatch: number;
}

/** Copies the model's weights; the model may be closed afterwards. */
export async function runByLibtorch(
  model: ModelFile,
  { engine, precision, batch, compiledBatch }: LibtorchOptions,
): Promise<PredictingModel> {
  const loaded = await loadModel(model, { engine, precision, batch: compiledBatch });
  const { description, graph, source, predictor } = loaded;
  const length = inputBytes(description.preprocessing);
  const { classes } = predictor;
  return {
    description,
    graph,
    source,
    precision,
    predictor: {
      batch,
      classes,
      predict: async (images) => {
        if (images.length !== compiledBatch * length)
          return (await loaded.probabilities(images)).data as Float32Array;
        const probabilities = await predictor.predict(images);
        const problem = problemWith(probabilities, { outputs: classes, kind: 'probabilities' });
        if (problem !== undefined) throw new ModelError(`${source}: ${problem}`);
        return probabilities;
      },
      outputs: async (images) => {
        const { data } = await (classes === 0 ? loaded.embed(images) : loaded.logits(images));
        return data as Float32Array;
      },
    },
    release: async () => loaded.release(),
  };
}

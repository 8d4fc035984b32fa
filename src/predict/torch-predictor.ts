/** Predictions with libtorch, from parameters in a store. */
import { compileInference } from '../compile/inference/compile-inference.ts';
import type { CompiledInference, InferenceOptions } from '../compile/options.ts';
import type { Engine, Store } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import type { Predictor } from './predict-images.ts';

export interface TorchPredictor extends Predictor {
  /** Folds the parameters again; required whenever they have changed. */
  refresh(): Promise<void>;
  /** Releases its programs; the store belongs to the caller. */
  release(): void;
}

/** Compiles for a store that does not exist yet; `open` then loads the programs into it. */
export function planPredictor(graph: Graph, options: InferenceOptions) {
  const compiled = compileInference(graph, options);
  return {
    spec: compiled.store,
    open: (engine: Engine, store: Store) =>
      openPredictor({ engine, store, compiled, graph, batch: options.batch }),
  };
}

async function openPredictor({
  engine,
  store,
  compiled,
  graph,
  batch,
}: {
  engine: Engine;
  store: Store;
  compiled: CompiledInference;
  graph: Graph;
  batch: number;
}): Promise<TorchPredictor> {
  const prepare = await engine.load(compiled.prepare, store);
  const predict = await engine.load(compiled.predict, store);
  return {
    batch,
    classes: graph.network.classes,
    refresh: async () => {
      await prepare.run({});
    },
    release: () => {
      prepare.release();
      predict.release();
    },
    predict: async (images) => {
      const { probabilities } = await predict.run({ images });
      return probabilities?.data as Float32Array;
    },
  };
}

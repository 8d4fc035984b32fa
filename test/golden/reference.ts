/** A network of the fixtures with its reproducible weights, in an engine, for the parity tests. */
import { compileInference } from '../../src/compile/inference/compile-inference.ts';
import type { CompiledInference, InferenceOptions, TrainingOptions } from '../../src/compile/options.ts';
import { compileTraining } from '../../src/compile/training/compile-training.ts';
import { dialectOptions, findDialect, namesIn, stagesIn } from '../../src/ecosystems/dialects.ts';
import { fromLayout } from '../../src/ecosystems/layouts.ts';
import type { Engine, HostArray, HostTensor, Store } from '../../src/engine/engine.ts';
import { buildGraph } from '../../src/graph/build-graph.ts';
import { type Graph, type Parameter, parametersOf } from '../../src/graph/graph.ts';
import { configure, findNetwork, type NetworkOptions } from '../../src/networks/networks.ts';
import { type Expected, type GoldenModel, goldenModels, readExpected, readParams } from './fixture.ts';
import { goldenImages, goldenTensor } from './prng.ts';

/** Endpoints of stages without a common name, by the other implementations' names. */
const otherStages: Readonly<Record<string, string>> = {
  pooled: 'averagePooling',
  global_pool: 'averagePooling',
  AvgPool_1a: 'averagePooling',
  PreLogits: 'averagePooling',
  PreLogitsFlatten: 'averagePooling',
  Pool1: 'stem/maxPool1',
  Pool2: 'stem/maxPool2',
  MaxPool_3a_3x3: 'stem/maxPool1',
  MaxPool_5a_3x3: 'stem/maxPool2',
  PreAuxLogits: 'inceptionResnetB',
  PrePool: 'inceptionResnetC',
};

/** facenet names the parts between its repetitions. */
const facenetStages: Readonly<Record<string, string>> = {
  Mixed_5a: 'inceptionResnetA',
  Mixed_6b: 'inceptionResnetB',
  Mixed_8a: 'inceptionResnetC/4',
  Mixed_8b: 'inceptionResnetC',
};

const trainingNumbers: TrainingOptions = {
  batch: 2,
  precision: 'float32',
  images: 'float32',
  optimizer: { decay: 0.9, epsilon: 1, momentum: 0.9 },
  weightDecay: 0,
  labelSmoothing: 0,
  auxiliaryLossWeight: 0,
  batchNormMomentum: 0.1,
  clipNorm: undefined,
  dropout: false,
  update: false,
};

/** [n, 3, h, w] to [n, h, w, 3]. */
export function channelsLast(planar: Float32Array, side: number): Float32Array {
  const result = new Float32Array(planar.length);
  const area = side * side;
  for (let index = 0; index < planar.length; index++) {
    const image = Math.floor(index / (3 * area));
    const channel = Math.floor(index / area) % 3;
    result[(image * area + (index % area)) * 3 + channel] = planar[index] as number;
  }
  return result;
}

interface Predictor {
  predict(images: Float32Array): Promise<Record<string, HostTensor>>;
  close(): void;
}

export class Reference {
  readonly expected: Expected;
  readonly graph: Graph;
  readonly layout: 'torch' | 'tensorflow';
  /** Parameter names by the other implementation's names. */
  readonly ours: ReadonlyMap<string, string>;
  readonly side: number;
  readonly #engine: Engine;
  readonly #weights = new Map<string, Float32Array>();
  readonly #stages: ReadonlyMap<string, string>;

  constructor(model: GoldenModel, engine: Engine) {
    const [dialectName, network] = goldenModels[model];
    const dialect = findDialect(dialectName);
    const { params } = readParams(model);
    const classifier = params.find(({ name, role }) => role === 'linear_bias' && !/aux/i.test(name));
    const options: NetworkOptions = {
      ...dialectOptions(dialect, network),
      classes: classifier?.shape[0] ?? 0,
      auxiliary: params.some(({ name }) => /aux/i.test(name)),
    };
    this.#engine = engine;
    this.layout = dialect.layout;
    this.expected = readExpected(model);
    this.graph = buildGraph(configure(findNetwork(network), options));
    const names = namesIn(dialectName, this.graph);
    this.ours = new Map([...names].map(([name, theirs]) => [theirs, name]));
    const stages = dialectName === 'tf-facenet' ? { ...otherStages, ...facenetStages } : otherStages;
    this.#stages = new Map([...stagesIn(dialectName, this.graph), ...Object.entries(stages)]);
    this.side = this.graph.network.input[0];
    const byName = new Map(params.map((tensor) => [tensor.name, tensor]));
    for (const parameter of parametersOf(this.graph)) {
      const tensor = byName.get(names.get(parameter.name) as string);
      if (!tensor) throw new Error(`${model} has no ${names.get(parameter.name)}`);
      this.#weights.set(parameter.name, fromLayout(dialect.layout, parameter, goldenTensor(tensor)));
    }
  }

  /** The endpoint of a stage of the other implementation. */
  endpoint(stage: string): string {
    const endpoint = this.#stages.get(stage);
    if (endpoint === undefined) throw new Error(`no endpoint for stage '${stage}'`);
    return endpoint;
  }

  /** The values of a parameter in the other implementation, in our layout. */
  weights({ name }: Parameter): Float32Array {
    return this.#weights.get(name) as Float32Array;
  }

  images(count = 2): Float32Array {
    return channelsLast(goldenImages(this.side, count), this.side);
  }

  async #fill(store: Store): Promise<void> {
    for (const [name, values] of this.#weights) await store.write(name, values);
  }

  /** The program that predicts. */
  program(options: Partial<InferenceOptions> = {}): CompiledInference {
    return compileInference(this.graph, {
      batch: 2,
      precision: 'float32',
      images: 'float32',
      kernels: this.#engine.facts.kernels,
      ...options,
    });
  }

  /** Opens the network once for any number of batches, as most of the time goes into its weights. */
  async open(options: Partial<InferenceOptions> = {}): Promise<Predictor> {
    const compiled = this.program(options);
    const store = await this.#engine.createStore(compiled.store);
    await this.#fill(store);
    const prepare = await this.#engine.load(compiled.prepare, store);
    await prepare.run({});
    const predict = await this.#engine.load(compiled.predict, store);
    return {
      predict: (images) => predict.run({ images }),
      close: () => {
        for (const resource of [prepare, predict, store]) resource.release();
      },
    };
  }

  /** Predicts the first images of the stream, or the given ones. */
  async predict(
    options: Partial<InferenceOptions> = {},
    images = this.images(options.batch ?? 2),
  ): Promise<Record<string, HostTensor>> {
    const predictor = await this.open(options);
    const outputs = await predictor.predict(images);
    predictor.close();
    return outputs;
  }

  /** Runs a training step without an update; gradients and statistics are in the store. */
  async step(
    options: Partial<TrainingOptions>,
    inputs: Record<string, HostArray>,
  ): Promise<{ store: Store; outputs: Record<string, HostTensor> }> {
    const { store: spec, step } = compileTraining(this.graph, {
      ...trainingNumbers,
      kernels: this.#engine.facts.kernels,
      ...options,
    });
    const store = await this.#engine.createStore(spec);
    await this.#fill(store);
    const loaded = await this.#engine.load(step, store);
    const outputs = await loaded.run({ images: this.images(options.batch ?? 2), ...inputs });
    loaded.release();
    return { store, outputs };
  }
}

/** A model loaded into an engine. */
import { compileExplanation, type ExplanationOptions } from '../compile/explanation/compile-explanation.ts';
import { compileInference } from '../compile/inference/compile-inference.ts';
import type { InferencePrecision } from '../compile/options.ts';
import type { Program } from '../compile/program.ts';
import type { Engine, HostTensor, LoadedProgram, Store } from '../engine/engine.ts';
import { classifierParameters, type Graph, type Node, parametersOf } from '../graph/graph.ts';
import { graphOf, type ModelDescription, ModelError } from '../model/description.ts';
import { initialValues } from '../model/initialise.ts';
import type { ModelFile, Notices } from '../model/model-file.ts';
import { problemWith } from './check-values.ts';
import { chooseInferencePrecision } from './choose-inference-precision.ts';
import { openModel } from './open-model.ts';
import { planPredictor, type TorchPredictor } from './torch-predictor.ts';

/** How a model is loaded into an engine. */
export interface LoadModelOptions extends Notices {
  readonly engine: Engine;
  /** Batch size. Default 1. */
  readonly batch?: number;
  /** Default: int8 for an int8 model on the CPU, otherwise the fastest precision of the hardware. */
  readonly precision?: InferencePrecision;
}

/** Images [n, height, width, channels] as bytes of 0–255, or as floats that are already scaled. */
export type Images = Uint8Array | Float32Array;

/** Which parts of a network are asked for. */
export interface FeatureOptions {
  /** Named parts of the network (`stem`, `inceptionA/3`, …); `graph.endpoints` lists them. */
  readonly endpoints?: readonly string[];
  /** The last part at each of these strides (2, 4, 8, 16, 32), like timm's `features_only`. */
  readonly strides?: readonly number[];
}

/** Of which logits, and with respect to what, a gradient is taken. */
export interface GradientOptions {
  /** [n, classes] */
  readonly logitWeights: Float32Array;
  /** A named part of the network. Default: the scaled input. */
  readonly endpoint?: string;
}

/** Of which values of a part a gradient is taken. */
export interface PartGradientOptions {
  /** A named part of the network. */
  readonly part: string;
  /** [n, c, h, w] */
  readonly partWeights: Float32Array;
}

/** All float32: [n, classes] and, of the part or of the scaled input, [n, c, h, w]. */
export interface LogitGradient {
  readonly logits: HostTensor;
  readonly probabilities: HostTensor;
  readonly activation: HostTensor;
  readonly gradient: HostTensor;
}

/** A model in an engine. */
export interface LoadedModel {
  readonly description: ModelDescription;
  readonly graph: Graph;
  /** What was loaded: `runs/first/model.safetensors`, `hub:timm/inception_v4.tf_in1k`. */
  readonly source: string;
  readonly predictor: TorchPredictor;
  /**
   * Outputs of parts of the network for any number of images, by endpoint or by `stride 8`: float32 [n, c, h, w], or
   * [n, features] where a part has no grid any more, as `logits`.
   */
  features(images: Images, options: FeatureOptions): Promise<Record<string, HostTensor>>;
  /** What the classifier and its hidden layers read, float32 [n, features]: the embedding of a network that has one. */
  embed(images: Images): Promise<HostTensor>;
  /** Float32 [n, classes]. @throws ModelError for a network without a classifier, or if they are not numbers. */
  logits(images: Images): Promise<HostTensor>;
  /** Float32 [n, classes], for any number of images, whereas `predictor` has a fixed batch size. @throws as `logits`. */
  probabilities(images: Images): Promise<HostTensor>;
  /**
   * How logits change with a part's result, or with the scaled input: the gradient of each image's sum(logits · logitWeights), so that
   * 1 for a class and 0 elsewhere explains that class. In float32, whatever the precision of predictions.
   * @throws ModelError for a network without a classifier
   */
  gradient(images: Images, options: GradientOptions): Promise<LogitGradient>;
  /**
   * How a part's result changes with the scaled input: the gradient of each image's sum(result · partWeights), float32 [n, c, h, w], in
   * float32 arithmetic.
   */
  partGradient(images: Images, options: PartGradientOptions): Promise<HostTensor>;
  /** The same network with a new classifier for these labels, without hidden layers, and everything else kept. This model is not changed. */
  resetClassifier(classes: readonly string[], options?: { readonly seed?: number }): Promise<LoadedModel>;
  /** Frees the memory. */
  release(): void;
}

/**
 * Loads a model for prediction: a run folder, a `.safetensors` file from `train` or `import`, a file of another ecosystem,
 * `hub:owner/name`; or a model that is already open, which stays open.
 * @throws ModelError or WeightsError naming the file and what is missing.
 */
export async function loadModel(model: string | ModelFile, options: LoadModelOptions): Promise<LoadedModel> {
  const file = typeof model === 'string' ? await openModel(model, options) : model;
  const { description, graph, source } = file;
  const values: Contents['values'] = async (write) => {
    for (const parameter of parametersOf(graph)) await write(parameter.name, await file.read(parameter));
  };
  try {
    return await openInEngine({ description, graph, source, values }, options);
  } finally {
    if (file !== model) await file.close();
  }
}

interface Contents {
  readonly description: ModelDescription;
  readonly graph: Graph;
  readonly source: string;
  readonly values: (write: (name: string, values: Float32Array) => Promise<void>) => Promise<void>;
}

async function openInEngine(
  { description, graph, source, values }: Contents,
  options: LoadModelOptions,
): Promise<LoadedModel> {
  const { engine, batch = 1 } = options;
  const precision = chooseInferencePrecision(
    options.precision ?? 'auto',
    { description, source },
    engine.facts,
  );
  const { mean, std } = description.preprocessing;
  const kernels = engine.facts.kernels;
  const common = { precision, scaling: { mean, std }, kernels, ranges: description.int8?.ranges } as const;
  const plan = planPredictor(graph, { batch, ...common });
  const store = await engine.createStore(plan.spec);
  await values((name, data) => store.write(name, data));
  const predictor = await plan.open(engine, store);
  await predictor.refresh();
  const programs = new Map<string, LoadedProgram>();
  const imageLength = graph.network.input.reduce((product, size) => product * size, 1);

  // Predictions leave the auxiliary head out, so its weights are prepared when it is first asked for.
  let auxiliaryPrepared = false;
  const prepareAuxiliary = async (program: Program) => {
    if (auxiliaryPrepared) return;
    const prepare = await engine.load(program, store);
    await prepare.run({});
    prepare.release();
    auxiliaryPrepared = true;
  };

  const countOf = ({ length }: Images): number => {
    const count = length / imageLength;
    if (Number.isInteger(count) && count > 0) return count;
    throw new ModelError(`images: expected n × ${graph.network.input.join('×')} values, received ${length}`);
  };

  /** Runs a program compiled for this number of images, which is cached. */
  const run = async (images: Images, endpoints: readonly string[]): Promise<Record<string, HostTensor>> => {
    const count = countOf(images);
    const type = images instanceof Uint8Array ? 'uint8' : 'float32';
    const key = `${count} ${type} ${endpoints.join()}`;
    let program = programs.get(key);
    if (!program) {
      const compiled = compileInference(graph, { batch: count, images: type, endpoints, ...common });
      if (endpoints.some((name) => isAuxiliary(graph, name))) await prepareAuxiliary(compiled.prepare);
      program = await engine.load(compiled.predict, store);
      programs.set(key, program);
    }
    return program.run({ images });
  };

  const gradient: LoadedModel['gradient'] = async (images, { logitWeights, endpoint }) => {
    const count = countOf(images);
    if (graph.network.classes === 0) throw new ModelError(`${source}: the network has no classifier`);
    const program = await explanation(images, count, endpoint ? { endpoint } : {});
    return (await program.run({ images, logitWeights })) as unknown as LogitGradient;
  };

  const partGradient: LoadedModel['partGradient'] = async (images, { part, partWeights }) => {
    const program = await explanation(images, countOf(images), { of: part });
    return (await program.run({ images, partWeights })).gradient as HostTensor;
  };

  const explanation = async (
    images: Images,
    batch: number,
    what: Pick<ExplanationOptions, 'endpoint' | 'of'>,
  ): Promise<LoadedProgram> => {
    const type = images instanceof Uint8Array ? 'uint8' : 'float32';
    const key = `gradient ${batch} ${type} ${JSON.stringify(what)}`;
    const options = { batch, images: type, kernels, scaling: common.scaling, ...what } as const;
    const program =
      programs.get(key) ?? (await engine.load(compileExplanation(graph, options).explain, store));
    programs.set(key, program);
    return program;
  };

  const output = async (images: Images, name: 'features' | 'logits' | 'probabilities') => {
    if (name !== 'features' && graph.network.classes === 0)
      throw new ModelError(`${source}: the network has no classifier`);
    const tensor = (await run(images, []))[name] as HostTensor;
    const problem = problemWith(tensor.data as Float32Array, {
      outputs: tensor.shape[1] as number,
      kind: name,
    });
    if (problem !== undefined) throw new ModelError(`${source}: ${problem}`);
    return tensor;
  };
  return {
    description,
    graph,
    source,
    predictor,
    features: async (images, { endpoints = [], strides = [] }) => {
      const byStride = strideEndpoints(graph);
      const strideNames = strides.map((stride) => endpointAt(byStride, stride));
      const outputs = await run(images, [...new Set([...endpoints, ...strideNames])]);
      return Object.fromEntries([
        ...endpoints.map((name) => [name, outputs[name] as HostTensor]),
        ...strides.map((stride, index) => [
          `stride ${stride}`,
          outputs[strideNames[index] as string] as HostTensor,
        ]),
      ]);
    },
    embed: (images) => output(images, 'features'),
    logits: (images) => output(images, 'logits'),
    probabilities: (images) => output(images, 'probabilities'),
    gradient,
    partGradient,
    resetClassifier: (classes, { seed = 1 } = {}) =>
      withNewClassifier({ description, store, source, classes, seed }, options),
    release: () => {
      for (const program of programs.values()) program.release();
      predictor.release();
      store.release();
    },
  };
}

const isAuxiliary = (graph: Graph, endpoint: string): boolean =>
  graph.nodes[graph.endpoints.get(endpoint) ?? -1]?.head === 'auxiliary';

function withNewClassifier(
  {
    description,
    store,
    source,
    classes,
    seed,
  }: {
    description: ModelDescription;
    store: Store;
    source: string;
    classes: readonly string[];
    seed: number;
  },
  load: LoadModelOptions,
): Promise<LoadedModel> {
  const { classIds: _, ...rest } = description;
  const { hidden: _hidden, ...options } = description.options;
  const changed = { ...rest, classes, options: { ...options, classes: classes.length } };
  const graph = graphOf(changed);
  const classifier = new Set(classifierParameters(graph).map(({ name }) => name));
  const values: Contents['values'] = async (write) => {
    for (const parameter of parametersOf(graph)) {
      const data = classifier.has(parameter.name)
        ? initialValues(parameter, seed)
        : (await store.read(parameter.name)).data;
      await write(parameter.name, data as Float32Array);
    }
  };
  return openInEngine({ description: changed, graph, source, values }, load);
}

/** The last part at each stride before pooling. Strides are multiplied along the graph, since sizes are rounded by valid windows. */
export function strideEndpoints(graph: Graph): ReadonlyMap<number, string> {
  const strides: number[] = [];
  for (const { inputs, op, attributes } of graph.nodes) {
    const nodeStride = op === 'conv' || op === 'maxPool' || op === 'avgPool' ? attributes.stride : 1;
    strides.push(nodeStride * Math.max(1, ...inputs.map((input) => strides[input] as number)));
  }
  const endpoints = new Map<number, string>();
  const { featuresAt = {} } = graph.network;
  for (const [name, id] of graph.endpoints) {
    const { head, shape } = graph.nodes[id] as Node;
    if (head === 'auxiliary' || (shape[0] === 1 && shape[1] === 1)) continue;
    const stride = strides[id] as number;
    endpoints.set(stride, featuresAt[stride] ?? name);
  }
  return endpoints;
}

function endpointAt(byStride: ReadonlyMap<number, string>, stride: number): string {
  const name = byStride.get(stride);
  if (name !== undefined) return name;
  throw new ModelError(
    `no part has a stride of ${stride}; there are ${[...byStride.keys()].sort((a, b) => a - b).join(', ')}`,
  );
}

/** Our side of a comparison: the compiled program with the job's weights, ready to run steps. */
import { compileInference } from '../compile/inference/compile-inference.ts';
import type { Kernels, TrainingOptions } from '../compile/options.ts';
import type { Program, StoreSpec } from '../compile/program.ts';
import { compileTraining } from '../compile/training/compile-training.ts';
import type { Engine, HostArray, HostTensor, LoadedProgram, Store } from '../engine/engine.ts';
import { buildGraph } from '../graph/build-graph.ts';
import { type Graph, type Parameter, parametersOf } from '../graph/graph.ts';
import { freeze } from '../graph/parts.ts';
import { configure, findNetwork } from '../networks/networks.ts';
import { compileFloor, type FloorKernels } from './floor.ts';
import { benchImages, benchValues, type Job, type WorkOptions } from './job.ts';

export interface OurStep {
  readonly about: string;
  readonly program: Program;
  readonly store: Store;
  readonly loaded: LoadedProgram;
  readonly inputs: Readonly<Record<string, HostArray>>;
  step(): Promise<Record<string, HostTensor>>;
}

export function graphOfWork({
  network,
  options,
  freeze: part,
}: Pick<WorkOptions, 'network' | 'options' | 'freeze'>): Graph {
  const graph = buildGraph(configure(findNetwork(network), options));
  return part === undefined ? graph : freeze(graph, part);
}

/** Options of our training: the same work as the peers', so without running averages of the weights. */
export const trainingOptions = ({
  optimizer: { decay, epsilon, momentum, weightDecay },
  ...job
}: Job): TrainingOptions => ({
  batch: job.batch,
  precision: job.precision,
  images: 'float32',
  optimizer: { decay, epsilon, momentum },
  weightDecay,
  labelSmoothing: job.labelSmoothing,
  auxiliaryLossWeight: 0.4,
  batchNormMomentum: 0.0003,
  clipNorm: undefined,
  averages: false,
  dropout: false,
  ...(job.replicas && { replicas: job.replicas }),
});

export async function openOurStep(
  engine: Engine,
  job: Job,
  valuesOf: (parameter: Parameter) => HostArray | Promise<HostArray> = benchValues,
): Promise<OurStep> {
  const graph = graphOfWork(job);
  const { spec, program, prepare } = compileWork(graph, job, engine.facts.kernels);
  const store = await engine.createStore(spec);
  for (const parameter of parametersOf(graph)) await store.write(parameter.name, await valuesOf(parameter));
  if (prepare) await runOnce(engine, prepare, store);
  const loaded = await engine.load(program, store);
  const [height = 0, width = 0, channels = 0] = job.input;
  const images = benchImages(job.batch * height * width * channels);
  const inputs = job.work === 'infer' ? { images } : { images, ...trainingInputs(job) };
  const { libtorch, device, hardware } = engine.facts;
  const about = `libtorch ${libtorch}${device === 'cuda' ? ` on ${hardware}` : ''}`;
  return { about, program, store, loaded, inputs, step: () => loaded.run(inputs) };
}

async function runOnce(engine: Engine, program: Program, store: Store): Promise<void> {
  const loaded = await engine.load(program, store);
  await loaded.run({});
  loaded.release();
}

const trainingInputs = (job: Job) => ({
  labels: BigInt64Array.from(job.labels, BigInt),
  learningRate: new Float32Array([job.optimizer.learningRate]),
  averageDecay: new Float32Array([0.9999]),
  // What a replica can ask for: nothing.
  ...(job.replicas && { stop: new Float32Array([0]), save: new Float32Array([0]) }),
});

export function compileWork(
  graph: Graph,
  job: Job,
  kernels: Kernels,
): { spec: StoreSpec; program: Program; prepare: Program | undefined } {
  if (job.work === 'train') {
    const { store, step, prepare } = compileTraining(graph, { ...trainingOptions(job), kernels });
    return { spec: store, program: step, prepare };
  }
  const { batch, precision } = job;
  const options = { batch, precision, images: 'float32', kernels } as const;
  const { store, prepare, predict } = compileInference(graph, options);
  return { spec: store, program: predict, prepare };
}

/** Only the convolutions. */
export async function openFloor(engine: Engine, job: Job): Promise<OurStep> {
  const { oneDnn, device, libtorch } = engine.facts;
  const kernels: FloorKernels = oneDnn && device === 'cpu' ? 'onednn' : 'aten';
  const { store: spec, program, prepare } = compileFloor(graphOfWork(job), job, kernels);
  const store = await engine.createStore(spec);
  if (prepare) await runOnce(engine, prepare, store);
  const loaded = await engine.load(program, store);
  const library = device === 'cuda' ? ' (cuDNN)' : '';
  const about = kernels === 'aten' ? `libtorch ${libtorch}'s convolutions${library}` : 'oneDNN';
  return { about, program, store, loaded, inputs: {}, step: () => loaded.run({}) };
}

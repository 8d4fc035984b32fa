/** The job description for every side of a comparison, one JSON file: network, weights and work. */

import { usualOptimizers } from '../compile/optimizers/optimizers.ts';
import type { Precision, TrainingOptions } from '../compile/options.ts';
import type { Device } from '../engine/engine.ts';
import { elementCount, type Graph, type Node, type Parameter, parametersOf } from '../graph/graph.ts';
import type { NetworkOptions } from '../networks/networks.ts';
import { randomFor } from '../random.ts';
import { resolveRecipe } from '../train/recipe/recipe.ts';

export type Work = 'train' | 'infer';

export interface WorkOptions {
  readonly work: Work;
  readonly network: string;
  readonly options: NetworkOptions;
  readonly batch: number;
  readonly precision: Precision;
  readonly device: Device;
  readonly threads: number;
  /** Of training: the part up to which everything is frozen. */
  readonly freeze?: string | undefined;
  /** Of training: what the step of each of several processes has to average. */
  readonly replicas?: TrainingOptions['replicas'];
}

/** A node as peers see it, with all sizes resolved. */
export interface PeerNode {
  readonly id: number;
  readonly op: Node['op'];
  readonly inputs: readonly number[];
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Part (`weight`, …) to its name in the file of weights. */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface Job extends WorkOptions {
  readonly nodes: readonly PeerNode[];
  readonly logits: number;
  /** Nodes with smaller ids are frozen. */
  readonly frozenNodes: number;
  /** [height, width, channels] */
  readonly input: readonly number[];
  /** Path of a safetensors file. */
  readonly weights: string;
  /** Path of raw float32 values [n, h, w, c], already scaled. */
  readonly images: string;
  /** Where PyTorch's export for ONNX Runtime is written. */
  readonly onnx: string;
  readonly labels: readonly number[];
  readonly labelSmoothing: number;
  readonly optimizer: {
    readonly learningRate: number;
    readonly decay: number;
    readonly epsilon: number;
    readonly momentum: number;
    readonly weightDecay: number;
  };
}

export interface Paths {
  readonly weights: string;
  readonly images: string;
  readonly onnx: string;
}

/** The job without the auxiliary head, which is small and missing in every peer's inference. */
export function describeJob(graph: Graph, work: WorkOptions, paths: Paths): Job {
  const recipe = resolveRecipe('paper', { batch: work.batch });
  const { classes, input } = graph.network;
  return {
    ...work,
    ...paths,
    nodes: describeNodes(graph, recipe.batchNormMomentum),
    logits: graph.logits,
    frozenNodes: graph.frozenNodes ?? 0,
    input,
    labels: Array.from({ length: work.batch }, (_, index) => (index * 7) % classes),
    labelSmoothing: recipe.labelSmoothing,
    optimizer: {
      learningRate: recipe.learningRate,
      decay: usualOptimizers.rmsprop.decay,
      epsilon: usualOptimizers.rmsprop.epsilon,
      momentum: usualOptimizers.rmsprop.momentum,
      weightDecay: recipe.weightDecay,
    },
  };
}

export function describeNodes(graph: Graph, batchNormMomentum: number): PeerNode[] {
  return graph.nodes.map((node) => {
    const [source] = node.inputs;
    const channelsIn = source === undefined ? 0 : (graph.nodes[source] as Node).shape[2];
    const sizes =
      node.op === 'conv' || node.op === 'linear'
        ? { in: channelsIn, out: node.shape[2] }
        : node.op === 'batchNorm'
          ? { channels: channelsIn, momentum: batchNormMomentum }
          : {};
    const [member = {}] = node.parameters.members;
    const parameters = Object.entries(member as Record<string, Parameter>).map(([part, { name }]) => [
      part,
      name,
    ]);
    return {
      id: node.id,
      op: node.op,
      inputs: node.inputs,
      attributes: { ...node.attributes, ...sizes },
      parameters: Object.fromEntries(parameters) as Record<string, string>,
    };
  });
}

/**
 * Values for one parameter that keep activations in a healthy range. Not the initialisation of training: uniform numbers of the
 * same variance are generated ten times as fast.
 */
export function benchValues({ name, role, shape }: Parameter): Float32Array {
  const values = new Float32Array(elementCount(shape));
  if (role === 'gamma' || role === 'movingVariance') return values.fill(1);
  const followedByRelu = role === 'convWeight' || role === 'hiddenWeight';
  if (!followedByRelu && role !== 'linearWeight' && role !== 'residualWeight') return values;
  const fanIn = elementCount(shape.slice(1));
  const half = Math.sqrt((followedByRelu ? 2 : 1) * (3 / fanIn));
  return fillUniform(
    values,
    half,
    Array.from(name, (letter) => letter.charCodeAt(0)),
  );
}

/** Images of noise: no operator's time depends on the values. */
export const benchImages = (count: number): Float32Array => fillUniform(new Float32Array(count), 1, [2]);

function fillUniform(values: Float32Array, half: number, stream: readonly number[]): Float32Array {
  let state = Math.floor(randomFor(1, ...stream)() * 0x7fffffff) | 1;
  for (let index = 0; index < values.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[index] = (state / 0x80000000) * half;
  }
  return values;
}

/** The tensors of a job's safetensors file, in the graph's order. */
export const benchTensors = (graph: Graph) =>
  parametersOf(graph).map((parameter) => ({
    name: parameter.name,
    dtype: 'F32',
    shape: parameter.shape,
    read: () => benchValues(parameter),
  }));

/**
 * The convolution floor: only the convolutions of a network, on memory already in the right layout. What a step takes beyond it
 * is what a compiler could still save. A few buffers serve all convolutions, so that the floor uses caches better than any real
 * step.
 */
import { Emitter } from '../compile/emitter.ts';
import type { DType, Program, StoreSpec, ViewSpec } from '../compile/program.ts';
import { convolutionGeometry } from '../compile/rules/aten-convolution.ts';
import type { Graph, Node, NodeOf, Shape } from '../graph/graph.ts';
import type { WorkOptions } from './job.ts';

/** The convolutions of the floor: oneDNN's, or libtorch's on CUDA and where the addon was built without oneDNN. */
export type FloorKernels = 'onednn' | 'aten';

export interface Floor {
  readonly store: StoreSpec;
  readonly program: Program;
  /** Packs the weights, once: of inference with oneDNN. */
  readonly prepare?: Program;
}

export function compileFloor(
  graph: Graph,
  { work, batch, precision }: Pick<WorkOptions, 'work' | 'batch' | 'precision'>,
  kernels: FloorKernels,
): Floor {
  const convolutions = graph.nodes.filter((node) => node.op === 'conv');
  const buffers = { input: new Buffers('input', precision), output: new Buffers('output', precision) };
  const weights = new Buffers('weight', precision);
  const gradients = new Buffers('gradient', 'float32');
  const biases = new Buffers('bias', 'float32');
  const emitter = new Emitter();
  const preparation = new Emitter();
  const packed = new Set<string>();
  for (const node of convolutions) {
    emitter.layer = node.path;
    const source = graph.nodes[node.inputs[0] as number] as Node;
    const input = emitter.load(buffers.input.view(images(batch, source.shape)));
    const weightName = weights.view(weightShape(node, source));
    const geometry = convolutionGeometry(node.attributes);
    const { stride, padding, groups } = node.attributes;
    // oneDNN's operators here know no groups.
    const whose = groups > 1 ? 'aten' : kernels;
    const strideAndPadding = [[stride, stride], padding] as const;
    if (whose === 'onednn' && work === 'infer') {
      const sizes = [images(batch, source.shape), ...strideAndPadding] as const;
      const name = `floor/packed/${[weightShape(node, source), ...sizes].map((size) => size.join('x')).join('/')}`;
      if (!packed.has(name)) {
        packed.add(name);
        const args = [preparation.load(weightName), ...sizes, false, false];
        preparation.store(name, preparation.call('inception::pack_convolution', args));
      }
      const bias = emitter.load(biases.view([node.shape[2]]));
      const args = [input, emitter.load(name), bias, null, ...strideAndPadding, false];
      emitter.call('inception::convolution_packed', args);
      continue;
    }
    const weight = emitter.load(weightName);
    if (whose === 'aten') emitter.call('aten::convolution', [input, weight, null, ...geometry]);
    else emitter.call('inception::convolution', [input, weight, null, ...strideAndPadding]);
    if (work === 'infer') continue;
    const gradient = emitter.load(buffers.output.view(images(batch, node.shape)));
    const needsInputGradient = source.op !== 'input';
    if (whose === 'aten') {
      const outputMask = [needsInputGradient, true, false];
      const args = [gradient, input, weight, null, ...geometry, outputMask];
      emitter.calls('aten::convolution_backward', args, 3);
      continue;
    }
    const weightGradient = emitter.load(gradients.view(weightShape(node, source)));
    const args = [gradient, input, weight, ...strideAndPadding, needsInputGradient, false];
    const named = { weight_out: weightGradient };
    emitter.calls('inception::convolution_backward', args, 3, named);
  }
  // A device runs asynchronously: without a result to wait for, only the launches would be timed.
  if (kernels === 'aten') emitter.output('done', emitter.load(buffers.input.view([1])));
  const parts = [buffers.input, buffers.output, weights, gradients, biases].filter(
    ({ length }) => length > 0,
  );
  return {
    program: emitter.finish(`${graph.network.name} ${work} convolutions alone, batch ${batch} ${precision}`),
    ...(packed.size > 0 && {
      prepare: preparation.finish(`${graph.network.name} packed weights ${precision}`),
    }),
    store: {
      tensors: parts.map(({ tensor }) => tensor),
      views: parts.flatMap(({ views }) => views),
      computed: [...packed],
    },
  };
}

const images = (batch: number, [height, width, channels]: Shape) => [batch, channels, height, width];

const weightShape = (node: NodeOf<'conv'>, source: Node) => [
  node.shape[2],
  source.shape[2] / node.attributes.groups,
  ...node.attributes.window,
];

/** One flat tensor, and channels-last views of its beginning. */
class Buffers {
  readonly #name: string;
  readonly #dtype: DType;
  readonly #views = new Map<string, ViewSpec>();
  length = 0;

  constructor(name: string, dtype: DType) {
    this.#name = `floor/${name}`;
    this.#dtype = dtype;
  }

  view(shape: readonly number[]): string {
    const name = `${this.#name}/${shape.join('x')}`;
    const [, channels = 1, height = 1, width = 1] = shape;
    const strides = shape.length === 1 ? [1] : [height * width * channels, 1, width * channels, channels];
    this.#views.set(name, { name, of: this.#name, shape, strides, offset: 0 });
    this.length = Math.max(
      this.length,
      shape.reduce((product, size) => product * size, 1),
    );
    return name;
  }

  get tensor() {
    return { name: this.#name, dtype: this.#dtype, shape: [this.length], fill: 0.01 };
  }

  get views(): readonly ViewSpec[] {
    return [...this.#views.values()];
  }
}

/** The forward lowering: what each operation of the graph becomes, as a table that is complete by its type. */
import type { Attributes, Graph, Node, NodeOf, Op, Parameter } from '../graph/graph.ts';
import { consumersOf } from '../passes/rewrite.ts';
import { type Emitter, slot } from './emitter.ts';
import { mergedName } from './layout.ts';
import type { ImageType, Kernels, Precision, Scaling } from './options.ts';
import type { Place } from './place-in-concat.ts';
import type { Argument, Slot } from './program.ts';

/** What the rules know besides their node. */
export interface Lowering {
  readonly emitter: Emitter;
  readonly graph: Graph;
  readonly batch: number;
  readonly precision: Precision;
  readonly images: ImageType;
  readonly scaling: Scaling;
  /** Statistics of the batch (training) or the moving ones. */
  readonly batchStatistics: boolean;
  readonly batchNormMomentum: number;
  readonly dropout: boolean;
  readonly kernels: Kernels;
  /** Which results are written straight into a concatenation's buffer, and where there. */
  readonly placement: ReadonlyMap<number, Place>;
  /** Of each concatenation with placed inputs its buffer, made with the first of them. */
  readonly buffers: Map<number, Slot>;
  /** Whether the backward pass computes cheap results again instead of keeping them. */
  readonly recompute: boolean;
  /** The stored name for a parameter's name: training and inference keep different copies. */
  readonly stored: (name: string, node: Node, parameter: Parameter) => string;
  /** For each node, whether its only reader may overwrite its result. */
  readonly overwritable: readonly boolean[];
}

/** A node's result and what its gradient rule wants to see again. */
export interface Lowered {
  readonly value: Slot;
  readonly saved?: readonly Slot[];
}

type ForwardRule<K extends Op> = (node: NodeOf<K>, inputs: readonly Slot[], lowering: Lowering) => Lowered;

const one = [1, 1] as const;
const zero = [0, 0] as const;

/** The stored tensor of one part of a node's parameters. */
export function parameterSlot(node: Node, part: string, { emitter, stored }: Lowering): Slot {
  const members = node.parameters.members.map(
    (member) => (member as Record<string, Parameter>)[part] as Parameter,
  );
  return emitter.load(stored(mergedName(members), node, members[0] as Parameter));
}

/** Batch normalisation's factor: its parameter, or ones where the network has none. */
export function gammaSlot(node: Node, lowering: Lowering): Slot {
  if (lowering.graph.network.gamma) return parameterSlot(node, 'gamma', lowering);
  return lowering.emitter.call('aten::ones_like', [slot(parameterSlot(node, 'movingVariance', lowering))]);
}

/** ATen's arguments for a convolution after input and weights. */
export const convolutionGeometry = ({ stride, padding, groups }: Attributes['conv']) =>
  [[stride, stride], padding, one, false, zero, groups] as const;

/** Whether a convolution is one of ours, which know no groups. */
export const isNative = ({ groups }: Attributes['conv'], { kernels }: Pick<Lowering, 'kernels'>): boolean =>
  kernels === 'native' && groups === 1;

/** The same for our own operators. */
export const ownGeometry = ({ stride, padding }: Attributes['conv']) => [[stride, stride], padding] as const;

/** Memory for a node's result, or for the gradient of one. */
export function emptyActivations({ shape }: Node, { emitter, batch, precision }: Lowering): Slot {
  const [height, width, channels] = shape;
  return emitter.call('aten::empty.memory_format', [[batch, channels, height, width]], {
    dtype: { dtype: precision },
    device: { device: 'store' },
    memory_format: { memoryFormat: 'channelsLast' },
  });
}

/** The part of a concatenation's buffer that a node is to write its result into, if it is. */
export function placeOf({ id, shape }: Node, lowering: Lowering): Slot | undefined {
  const place = lowering.placement.get(id);
  if (place === undefined) return undefined;
  const { emitter } = lowering;
  const args = [slot(bufferOf(place.concat, lowering)), 1, place.from, place.from + shape[2], 1];
  return emitter.call('aten::slice.Tensor', args);
}

function bufferOf(concat: number, lowering: Lowering): Slot {
  const { graph, placement, buffers } = lowering;
  const known = buffers.get(concat);
  if (known !== undefined) return known;
  const node = graph.nodes[concat] as Node;
  // A concatenation within a concatenation is a part of the outer one's buffer.
  const made = placement.has(concat) ? (placeOf(node, lowering) as Slot) : emptyActivations(node, lowering);
  buffers.set(concat, made);
  return made;
}

/** Factor, if the network has one, and term of a batch normalisation, as our own operators take them. */
export const normParameters = (node: Node, lowering: Lowering): readonly Argument[] => [
  lowering.graph.network.gamma ? slot(parameterSlot(node, 'gamma', lowering)) : null,
  slot(parameterSlot(node, 'beta', lowering)),
];

/** Operations whose operators of our own read a part of a wider tensor where it lies. */
const readStrided: readonly Op[] = ['batchNormRelu', 'avgPool', 'maxPool', 'concat'];

export const forwardRules: { readonly [K in Op]: ForwardRule<K> } = {
  input: (node, _, lowering) => {
    const { emitter, batch, precision, images } = lowering;
    const [height, width, channels] = node.shape;
    const given = emitter.input('images', images, [batch, height, width, channels]);
    // [n, h, w, c] read as [n, c, h, w] is channels-last already.
    const permuted = emitter.call('aten::permute', [slot(given), [0, 3, 1, 2]]);
    if (images === 'float32') return { value: toPrecision(emitter, permuted, precision) };
    const floats = emitter.call('aten::_to_copy', [slot(permuted)], { dtype: { dtype: 'float32' } });
    return { value: toPrecision(emitter, scalePixels(floats, channels, lowering), precision) };
  },
  conv: (node, [input, sum], lowering) => {
    const weight = parameterSlot(node, 'weight', lowering);
    const bias = node.attributes.bias ? slot(parameterSlot(node, 'bias', lowering)) : null;
    if (isNative(node.attributes, lowering)) {
      const { relu } = node.attributes;
      if (relu !== undefined) {
        const residual = sum === undefined ? null : slot(sum);
        const fused = [
          slot(input as Slot),
          slot(weight),
          bias,
          residual,
          ...ownGeometry(node.attributes),
          relu,
        ];
        return { value: lowering.emitter.call('inception::convolution_packed', fused) };
      }
      const args = [slot(input as Slot), slot(weight), bias, ...ownGeometry(node.attributes)];
      return { value: lowering.emitter.call('inception::convolution', args) };
    }
    const geometry = convolutionGeometry(node.attributes);
    return {
      value: lowering.emitter.call('aten::convolution', [
        slot(input as Slot),
        slot(weight),
        bias,
        ...geometry,
      ]),
    };
  },
  batchNorm: (node, [input], lowering) => {
    const { emitter, batchStatistics, batchNormMomentum } = lowering;
    const [beta, mean, variance] = ['beta', 'movingMean', 'movingVariance'].map((part) =>
      slot(parameterSlot(node, part, lowering)),
    ) as [never, never, never];
    const args = [
      slot(input as Slot),
      slot(gammaSlot(node, lowering)),
      beta,
      mean,
      variance,
      batchStatistics,
      batchNormMomentum,
      node.attributes.epsilon,
    ];
    if (!batchStatistics) {
      const [value] = emitter.calls('aten::native_batch_norm', args, { results: 3, unused: [1, 2] });
      return { value: value as Slot };
    }
    const [value, batchMean, inverseDeviation] = emitter.calls('aten::native_batch_norm', args, {
      results: 3,
    });
    return { value: value as Slot, saved: [batchMean as Slot, inverseDeviation as Slot] };
  },
  batchNormRelu: (node, [input], lowering) => {
    const parameters = [
      ...normParameters(node, lowering),
      ...['movingMean', 'movingVariance'].map((part) => slot(parameterSlot(node, part, lowering))),
    ];
    const args = [slot(input as Slot), ...parameters, lowering.batchNormMomentum, node.attributes.epsilon];
    const place = placeOf(node, lowering);
    if (place !== undefined) {
      const how = { results: 3, unused: [0], named: { out: slot(place) } };
      const [, ...saved] = lowering.emitter.calls('inception::batch_norm_relu', args, how);
      return { value: place, saved: saved as Slot[] };
    }
    const [value, batchMean, inverseDeviation] = lowering.emitter.calls('inception::batch_norm_relu', args, {
      results: 3,
    });
    return { value: value as Slot, saved: [batchMean as Slot, inverseDeviation as Slot] };
  },
  relu: (node, [input], { emitter, overwritable }) => {
    const inPlace = overwritable[node.inputs[0] as number];
    return { value: emitter.call(inPlace ? 'aten::relu_' : 'aten::relu', [slot(input as Slot)]) };
  },
  pad: ({ attributes: { before, after, value } }, [input], { emitter }) => {
    const [top, left] = before;
    const [bottom, right] = after;
    return {
      value: emitter.call('aten::constant_pad_nd', [slot(input as Slot), [left, right, top, bottom], value]),
    };
  },
  maxPool: (node, [input], lowering) => {
    const { emitter, kernels } = lowering;
    const { window, stride, padding } = node.attributes;
    if (kernels === 'native') {
      const own = [slot(input as Slot), window, stride, padding];
      const place = placeOf(node, lowering);
      if (place !== undefined) {
        const how = { results: 2, unused: [0], named: { out: slot(place) } };
        const [, places] = emitter.calls('inception::max_pool', own, how);
        return { value: place, saved: [places as Slot] };
      }
      const [value, places] = emitter.calls('inception::max_pool', own, { results: 2 });
      return { value: value as Slot, saved: [places as Slot] };
    }
    const args = [slot(input as Slot), window, [stride, stride], padding, one, false];
    const [value, indices] = emitter.calls('aten::max_pool2d_with_indices', args, { results: 2 });
    return { value: value as Slot, saved: [indices as Slot] };
  },
  avgPool: (node, [input], lowering) => {
    const { emitter, kernels } = lowering;
    const { window, stride, padding, countPadding } = node.attributes;
    if (kernels === 'native') {
      const own = [slot(input as Slot), window, stride, padding, countPadding];
      const place = placeOf(node, lowering);
      if (place === undefined) return { value: emitter.call('inception::avg_pool', own) };
      emitter.effect('inception::avg_pool', own, { out: slot(place) });
      return { value: place };
    }
    const args = [slot(input as Slot), window, [stride, stride], padding, false, countPadding, null];
    return { value: emitter.call('aten::avg_pool2d', args) };
  },
  // From here on values are float32 [n, c]: the classifier costs little and its precision shows in the logits.
  globalAvgPool: (_, [input], { emitter }) => ({
    value: emitter.call('aten::mean.dim', [slot(input as Slot), [2, 3], false], {
      dtype: { dtype: 'float32' },
    }),
  }),
  concat: (node, inputs, lowering) => {
    const { emitter, placement } = lowering;
    const own = lowering.buffers.get(node.id);
    if (own === undefined) return { value: emitter.call('aten::cat', [{ slots: inputs }, 1]) };
    // Most inputs have written themselves into their place.
    let from = 0;
    node.inputs.forEach((id, index) => {
      const to = from + (lowering.graph.nodes[id] as Node).shape[2];
      if (placement.get(id)?.concat !== node.id) {
        const part = emitter.call('aten::slice.Tensor', [slot(own), 1, from, to, 1]);
        emitter.effect('aten::copy_', [slot(part), slot(inputs[index] as Slot)]);
      }
      from = to;
    });
    return { value: own };
  },
  slice: ({ attributes: { from, to }, id }, [input], { emitter, graph, kernels }) => {
    const view = emitter.call('aten::slice.Tensor', [slot(input as Slot), 1, from, to, 1]);
    // Whoever wants it dense copies it, forward and again backward: one copy here serves both.
    const strided = kernels === 'native' ? readStrided : ['concat'];
    if (graph.nodes.every(({ op, inputs }) => !inputs.includes(id) || strided.includes(op)))
      return { value: view };
    return {
      value: emitter.call('aten::clone', [slot(view)], { memory_format: { memoryFormat: 'channelsLast' } }),
    };
  },
  scaledAdd: ({ attributes: { scale, relu = false }, inputs: [, of] }, [input, branch], lowering) => {
    const { emitter, kernels, overwritable } = lowering;
    const args = [slot(input as Slot), slot(branch as Slot)];
    if (kernels === 'native' && overwritable[of as number]) {
      emitter.effect('inception::scaled_add', [...args, scale, relu], { out: slot(branch as Slot) });
      return { value: branch as Slot };
    }
    const sum = emitter.call('aten::add.Tensor', args, { alpha: scale });
    return { value: relu ? emitter.call('aten::relu_', [slot(sum)]) : sum };
  },
  dropout: ({ attributes: { keep } }, [input], { emitter, dropout }) => {
    if (!dropout || keep === 1) return { value: input as Slot };
    const kept = emitter.call('aten::bernoulli.p', [slot(input as Slot), keep], {
      generator: { generator: 'store' },
    });
    const mask = emitter.call('aten::mul_.Scalar', [slot(kept), 1 / keep]);
    return { value: emitter.call('aten::mul.Tensor', [slot(input as Slot), slot(mask)]), saved: [mask] };
  },
  linear: (node, [input], lowering) => {
    const { emitter } = lowering;
    const transposed = emitter.call('aten::t', [slot(parameterSlot(node, 'weight', lowering))]);
    if (!node.attributes.bias)
      return { value: emitter.call('aten::mm', [slot(input as Slot), slot(transposed)]) };
    const bias = parameterSlot(node, 'bias', lowering);
    return { value: emitter.call('aten::addmm', [slot(bias), slot(input as Slot), slot(transposed)]) };
  },
};

/** (x / 255 − mean) / std in place, for each channel; one pair of operators where all channels have the same. */
function scalePixels(floats: Slot, channels: number, { emitter, scaling: { mean, std } }: Lowering): Slot {
  const scaled = (pixels: Slot, channel: number): Slot => {
    const factor = 1 / (255 * (std[channel] as number));
    const product = emitter.call('aten::mul_.Scalar', [slot(pixels), factor]);
    return emitter.call('aten::sub_.Scalar', [
      slot(product),
      (mean[channel] as number) / (std[channel] as number),
    ]);
  };
  const same = (values: readonly number[]) => values.every((value) => value === values[0]);
  if (same(mean) && same(std)) return scaled(floats, 0);
  for (let channel = 0; channel < channels; channel++) {
    scaled(emitter.call('aten::slice.Tensor', [slot(floats), 1, channel, channel + 1, 1]), channel);
  }
  return floats;
}

export const toPrecision = (emitter: Emitter, from: Slot, precision: Precision): Slot =>
  precision === 'float32'
    ? from
    : emitter.call('aten::_to_copy', [slot(from)], { dtype: { dtype: precision } });

/** Lowers every node in order. */
export function lowerForward(lowering: Lowering): readonly Lowered[] {
  const lowered: Lowered[] = [];
  for (const node of lowering.graph.nodes) {
    lowering.emitter.layer = node.path;
    const inputs = node.inputs.map((id) => (lowered[id] as Lowered).value);
    lowered.push((forwardRules[node.op] as ForwardRule<Op>)(node, inputs, lowering));
  }
  return lowered;
}

/**
 * Which results their only reader may overwrite: those whose value no gradient rule looks at (a convolution's and a
 * sum's never, a batch normalisation's neither) and that are not asked for as endpoints.
 */
export function overwritableResults(graph: Graph, endpoints: readonly number[]): readonly boolean[] {
  const consumers = consumersOf(graph);
  const unseen = new Set<Op>(['conv', 'batchNorm', 'scaledAdd']);
  return graph.nodes.map(
    (node) => unseen.has(node.op) && consumers[node.id]?.length === 1 && !endpoints.includes(node.id),
  );
}

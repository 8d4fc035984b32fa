/** The backward lowering: one gradient rule for each operation, as a table that is complete by its type. */
import type { Node, NodeOf, Op, Parameter } from '../graph/graph.ts';
import { slot } from './emitter.ts';
import {
  convolutionGeometry,
  emptyActivations,
  gammaSlot,
  isNative,
  type Lowered,
  type Lowering,
  normParameters,
  ownGeometry,
  parameterSlot,
  toPrecision,
} from './forward.ts';
import { mergedName } from './layout.ts';
import type { Slot } from './program.ts';
import { Recomputation } from './recompute.ts';

interface BackwardLowering extends Lowering {
  /** Updates a weight right away by its gradient; without it, gradients are stored. */
  readonly applyNow?: (weight: string, gradient: Slot) => void;
}

interface Backward extends BackwardLowering {
  /** The node's own lowering: its result and what it saved. */
  readonly own: Lowered;
  /** One of the results that the node read. A call may compute it again: only for what is read indeed. */
  readonly input: (index?: number) => Slot;
  /** Where the gradient of the node's only input is to be written. */
  readonly place: () => Slot;
  /** Whether anything before the node's inputs can be trained. */
  readonly needsInputGradient: boolean;
}

/** From the gradient of the node's result to the gradients of its inputs, in their order; parameters' are stored. */
type GradientRule<K extends Op> = (
  node: NodeOf<K>,
  gradient: Slot,
  backward: Backward,
) => readonly (Slot | null)[];

const one = [1, 1] as const;

function parameterName(node: Node, part: string): string {
  const members = node.parameters.members.map(
    (member) => (member as Record<string, Parameter>)[part] as Parameter,
  );
  return mergedName(members);
}

const gradientName = (node: Node, part: string): string => `gradient/${parameterName(node, part)}`;

/** Call it after everything that reads the parameter. */
function storeGradient(node: Node, part: string, gradient: Slot, { emitter, applyNow }: BackwardLowering) {
  if (part === 'weight' && applyNow) applyNow(parameterName(node, part), gradient);
  else emitter.effect('aten::copy_', [slot(emitter.load(gradientName(node, part))), slot(gradient)]);
}

/** Our operator writes the parameters' gradients to where the optimiser reads them. */
function ownConvolutionGradient(node: NodeOf<'conv'>, gradient: Slot, backward: Backward): Slot | null {
  const { emitter, input, needsInputGradient, applyNow } = backward;
  const stored = (part: 'weight' | 'bias') => emitter.load(gradientName(node, part));
  const ofWeight = applyNow ? emptyWeight(node, backward) : stored('weight');
  const { bias } = node.attributes;
  const args = [
    ...[gradient, input(), parameterSlot(node, 'weight', backward)].map(slot),
    ...ownGeometry(node.attributes),
    needsInputGradient,
    bias,
  ];
  const unused = needsInputGradient ? [1, 2] : [0, 1, 2];
  const named = { weight_out: slot(ofWeight), ...(bias && { bias_out: slot(stored('bias')) }) };
  const [ofInput] = emitter.calls('inception::convolution_backward', args, { results: 3, unused, named });
  if (applyNow) applyNow(parameterName(node, 'weight'), ofWeight);
  return ofInput ?? null;
}

/** Memory for the gradient of a convolution's weight. */
function emptyWeight(node: NodeOf<'conv'>, { emitter, graph }: Lowering): Slot {
  const [, , inputs] = (graph.nodes[node.inputs[0] as number] as Node).shape;
  return emitter.call('aten::empty.memory_format', [[node.shape[2], inputs, ...node.attributes.window]], {
    dtype: { dtype: 'float32' },
    device: { device: 'store' },
    memory_format: { memoryFormat: 'channelsLast' },
  });
}

/** Sums up to two gradients on the way. The results take their memory: nothing else reads them. */
function sumGradient(
  { attributes: { scale, relu } }: NodeOf<'scaledAdd'>,
  [gradient, more]: readonly Slot[],
  { emitter, own }: Pick<Backward, 'emitter' | 'own'>,
): readonly Slot[] {
  const args = [
    slot(gradient as Slot),
    more === undefined ? null : slot(more),
    relu ? slot(own.value) : null,
    scale,
  ];
  const named = { out: slot(gradient as Slot), ...(more !== undefined && { scaled_out: slot(more) }) };
  return emitter.calls('inception::scaled_add_backward', args, { results: 2, named }) as Slot[];
}

/** [n, c, h, w] of what a node reads. */
function inputSizes(node: Node, { batch, graph }: Backward): readonly number[] {
  const [height, width, channels] = (graph.nodes[node.inputs[0] as number] as Node).shape;
  return [batch, channels, height, width];
}

export const gradientRules: { readonly [K in Op]: GradientRule<K> } = {
  input: () => [],
  conv: (node, gradient, backward) => {
    const { emitter, input, needsInputGradient } = backward;
    const { bias } = node.attributes;
    if (isNative(node.attributes, backward)) return [ownConvolutionGradient(node, gradient, backward)];
    const [ofInput, ofWeight, ofBias] = emitter.calls(
      'aten::convolution_backward',
      [
        slot(gradient),
        slot(input()),
        slot(parameterSlot(node, 'weight', backward)),
        bias ? [node.shape[2]] : null,
        ...convolutionGeometry(node.attributes),
        [needsInputGradient, true, bias],
      ],
      { results: 3, unused: [...(needsInputGradient ? [] : [0]), ...(bias ? [] : [2])] },
    );
    storeGradient(node, 'weight', ofWeight as Slot, backward);
    if (bias) storeGradient(node, 'bias', ofBias as Slot, backward);
    return [ofInput as Slot | null];
  },
  batchNorm: (node, gradient, backward) => {
    const { emitter, graph, input, own, batchStatistics } = backward;
    const [mean, variance] = ['movingMean', 'movingVariance'].map((part) =>
      slot(parameterSlot(node, part, backward)),
    ) as [never, never];
    const { gamma } = graph.network;
    const [batchMean = null, inverseDeviation = null] = (own.saved ?? []).map(slot);
    const [ofInput, ofGamma, ofBeta] = emitter.calls(
      'aten::native_batch_norm_backward',
      [
        slot(gradient),
        slot(input()),
        slot(gammaSlot(node, backward)),
        mean,
        variance,
        batchMean,
        inverseDeviation,
        batchStatistics,
        node.attributes.epsilon,
        [true, gamma, true],
      ],
      { results: 3, unused: gamma ? [] : [1] },
    );
    if (gamma) storeGradient(node, 'gamma', ofGamma as Slot, backward);
    storeGradient(node, 'beta', ofBeta as Slot, backward);
    return [ofInput as Slot];
  },
  batchNormRelu: (node, gradient, backward) => {
    const { emitter, graph, input, own, place } = backward;
    const stored = (part: string) => slot(emitter.load(gradientName(node, part)));
    const args = [
      slot(gradient),
      slot(input()),
      ...normParameters(node, backward),
      ...(own.saved as readonly Slot[]).map(slot),
    ];
    const named = {
      ...(graph.network.gamma && { gamma_out: stored('gamma') }),
      beta_out: stored('beta'),
      out: slot(place()),
    };
    emitter.calls('inception::batch_norm_relu_backward', args, { results: 3, unused: [0, 1, 2], named });
    return [place()];
  },
  relu: (_, gradient, { emitter, own }) => [
    emitter.call('aten::threshold_backward', [slot(gradient), slot(own.value), 0]),
  ],
  pad: ({ attributes: { before, after } }, gradient, { emitter }) => {
    const [top, left] = before;
    const [bottom, right] = after;
    const inside = [-left, -right, -top, -bottom];
    return [emitter.call('aten::constant_pad_nd', [slot(gradient), inside, 0])];
  },
  maxPool: (node, gradient, backward) => {
    const { emitter, input, own, kernels } = backward;
    const { window, stride, padding } = node.attributes;
    const places = slot(own.saved?.[0] as Slot);
    if (kernels === 'native') {
      const args = [slot(gradient), places, inputSizes(node, backward), window, stride, padding];
      return [emitter.call('inception::max_pool_backward', args)];
    }
    const geometry = [window, [stride, stride], padding, one, false];
    const args = [slot(gradient), slot(input()), ...geometry, places];
    return [emitter.call('aten::max_pool2d_with_indices_backward', args)];
  },
  avgPool: (node, gradient, backward) => {
    const { emitter, input, kernels, place } = backward;
    const { window, stride, padding, countPadding } = node.attributes;
    if (kernels === 'native') {
      const args = [slot(gradient), inputSizes(node, backward), window, stride, padding, countPadding];
      emitter.effect('inception::avg_pool_backward', args, { out: slot(place()) });
      return [place()];
    }
    const geometry = [window, [stride, stride], padding, false, countPadding, null];
    const args = [slot(gradient), slot(input()), ...geometry];
    return [emitter.call('aten::avg_pool2d_backward', args)];
  },
  globalAvgPool: (node, gradient, { emitter, graph, batch, precision }) => {
    const [height, width, channels] = (graph.nodes[node.inputs[0] as number] as Node).shape;
    const share = emitter.call('aten::mul.Scalar', [slot(gradient), 1 / (height * width)]);
    const rounded = toPrecision(emitter, share, precision);
    const grid = emitter.call('aten::view', [slot(rounded), [batch, channels, 1, 1]]);
    const everywhere = emitter.call('aten::expand', [slot(grid), [batch, channels, height, width]]);
    return [
      emitter.call('aten::clone', [slot(everywhere)], { memory_format: { memoryFormat: 'channelsLast' } }),
    ];
  },
  concat: (node, gradient, { emitter, graph }) => {
    let from = 0;
    return node.inputs.map((id) => {
      const to = from + (graph.nodes[id] as Node).shape[2];
      const part = emitter.call('aten::slice.Tensor', [slot(gradient), 1, from, to, 1]);
      from = to;
      return part;
    });
  },
  slice: () => {
    throw new Error('the gradients of slices are parts of one gradient');
  },
  scaledAdd: (node, gradient, backward) => {
    if (backward.kernels === 'native') return sumGradient(node, [gradient], backward);
    const { scale, relu } = node.attributes;
    if (relu) throw new Error('a ReLU in a sum has a gradient only in our own operator');
    const { emitter } = backward;
    return [gradient, scale === 1 ? gradient : emitter.call('aten::mul.Scalar', [slot(gradient), scale])];
  },
  dropout: (_, gradient, { emitter, own }) => {
    const mask = own.saved?.[0];
    return [mask === undefined ? gradient : emitter.call('aten::mul.Tensor', [slot(gradient), slot(mask)])];
  },
  linear: (node, gradient, backward) => {
    const { emitter, input } = backward;
    const weight = parameterSlot(node, 'weight', backward);
    const ofInput = emitter.call('aten::mm', [slot(gradient), slot(weight)]);
    const transposed = emitter.call('aten::t', [slot(gradient)]);
    const ofWeight = emitter.call('aten::mm', [slot(transposed), slot(input())]);
    storeGradient(node, 'weight', ofWeight, backward);
    if (node.attributes.bias) {
      const summed = emitter.call('aten::sum.dim_IntList', [slot(gradient), [0], false]);
      storeGradient(node, 'bias', summed, backward);
    }
    return [ofInput];
  },
};

/**
 * Lowers the backward pass. `seeds` are the gradients of the nodes at which the loss reads the graph. Gradients of the
 * parameters are written to `gradient/NAME` as soon as they exist.
 */
export function lowerBackward(
  lowering: BackwardLowering,
  lowered: readonly Lowered[],
  seeds: ReadonlyMap<number, Slot>,
): void {
  const { emitter, graph } = lowering;
  const gradients = new Map<number, readonly Slot[]>([...seeds].map(([id, seed]) => [id, [seed]]));
  const places = new GradientPlaces(lowering, lowered);
  const values = new Recomputation(lowering, lowered);
  const trainable = reachesParameters(graph.nodes);
  const contribute = (id: number, gradient: Slot | null) => {
    if (gradient !== null) gradients.set(id, [...(gradients.get(id) ?? []), gradient]);
  };
  const add = (sum: Slot, gradient: Slot) => emitter.call('aten::add.Tensor', [slot(sum), slot(gradient)]);
  for (const node of [...graph.nodes].reverse()) {
    emitter.layer = `${node.path} backward`;
    contribute(node.id, places.mergedGradient(node));
    const parts = gradients.get(node.id);
    gradients.delete(node.id);
    if (parts === undefined) continue;
    const own = lowered[node.id] as Lowered;
    const propagate = (results: readonly (Slot | null)[]) =>
      results.forEach((result, index) => {
        const id = node.inputs[index] as number;
        if (trainable[id]) contribute(id, result);
      });
    if (node.op === 'scaledAdd' && lowering.kernels === 'native' && parts.length === 2) {
      propagate(sumGradient(node, parts, { emitter, own }));
      continue;
    }
    const gradient = parts.reduce(add);
    if (node.op === 'slice') {
      places.addSlice(node, gradient);
      continue;
    }
    const rule = gradientRules[node.op] as GradientRule<Op>;
    const results = rule(node, gradient, {
      ...lowering,
      own,
      input: (index = 0) => values.valueOf(node.inputs[index] as number),
      place: () => places.placeFor(node),
      needsInputGradient: node.inputs.some((id) => trainable[id]),
    });
    propagate(results);
  }
}

/**
 * Where gradients are written: where possible over a convolution's result, which only what follows it has read, and which
 * has been in the caches a moment ago. The gradients of a merged convolution's slices lie side by side there, as its gradient.
 */
class GradientPlaces {
  readonly #lowering: Lowering;
  readonly #lowered: readonly Lowered[];
  /** Of each merged node the channels whose gradient is written. */
  readonly #written = new Map<number, number>();
  readonly #places = new Map<number, Slot>();

  constructor(lowering: Lowering, lowered: readonly Lowered[]) {
    this.#lowering = lowering;
    this.#lowered = lowered;
  }

  /** For the gradient of the only input of a node. */
  placeFor({ inputs: [id] }: Node): Slot {
    const source = this.#lowering.graph.nodes[id as number] as Node;
    const known = this.#places.get(source.id);
    if (known !== undefined) return known;
    const place = this.#choose(source);
    this.#places.set(source.id, place);
    return place;
  }

  addSlice(slice: NodeOf<'slice'>, gradient: Slot): void {
    const place = this.#places.get(slice.id) ?? this.#choose(slice);
    if (gradient !== place) this.#lowering.emitter.effect('aten::copy_', [slot(place), slot(gradient)]);
    const merged = slice.inputs[0] as number;
    this.#written.set(merged, (this.#written.get(merged) ?? 0) + slice.shape[2]);
  }

  /** The gradient of a node whose slices have theirs. */
  mergedGradient(node: Node): Slot | null {
    const written = this.#written.get(node.id);
    if (written === undefined) return null;
    if (written !== node.shape[2])
      throw new Error(`${node.path}: ${written} of ${node.shape[2]} channels have a gradient`);
    return this.#valueOf(node.id);
  }

  #choose(source: Node): Slot {
    const { emitter, overwritable } = this.#lowering;
    if (source.op === 'slice') {
      const { from, to } = source.attributes;
      const whole = slot(this.#valueOf(source.inputs[0] as number));
      return emitter.call('aten::slice.Tensor', [whole, 1, from, to, 1]);
    }
    return source.op === 'conv' && overwritable[source.id]
      ? this.#valueOf(source.id)
      : emptyActivations(source, this.#lowering);
  }

  #valueOf(id: number): Slot {
    return (this.#lowered[id] as Lowered).value;
  }
}

/** For every node, whether it or anything before it has parameters. */
function reachesParameters(nodes: readonly Node[]): readonly boolean[] {
  const reaches: boolean[] = [];
  for (const node of nodes) {
    const own = node.parameters.members.some((member) => Object.keys(member).length > 0);
    reaches.push(own || node.inputs.some((id) => reaches[id]));
  }
  return reaches;
}

/**
 * Results that the forward pass does not keep because the backward pass can compute them again at the price of reading
 * their input once: batch normalisation with its ReLU, and concatenations of nothing but that and pooling. Of a
 * convolution and what follows it then only the convolution's own result is kept.
 */
import { elementCount, type Graph, type Node } from '../graph/graph.ts';
import { slot } from './emitter.ts';
import { type Lowered, type Lowering, normParameters, placeOf } from './forward.ts';
import type { TrainingOptions } from './options.ts';
import type { Slot } from './program.ts';

/** Bytes of results from which on it is worth its time: about 1% of a large network's step, but 5% of a small one's. */
const worthwhile = 128e6;

export function isRecomputationWorthwhile(
  { nodes }: Graph,
  { batch, precision }: Pick<TrainingOptions, 'batch' | 'precision'>,
): boolean {
  const values = nodes.reduce(
    (sum, { op, shape }) => sum + (op === 'batchNormRelu' ? elementCount(shape) : 0),
    0,
  );
  return values * batch * (precision === 'bfloat16' ? 2 : 4) >= worthwhile;
}

export class Recomputation {
  readonly #lowering: Lowering;
  readonly #lowered: readonly Lowered[];
  readonly #values = new Map<number, Slot>();

  /** Of a finished forward pass. */
  constructor(lowering: Lowering, lowered: readonly Lowered[]) {
    // Concatenations get new buffers.
    this.#lowering = { ...lowering, buffers: new Map() };
    this.#lowered = lowered;
  }

  /** The node's result for the backward pass; computed again at most once. */
  valueOf(id: number): Slot {
    if (!this.#isCheap(id)) return (this.#lowered[id] as Lowered).value;
    const known = this.#values.get(id);
    const value = known ?? this.#compute(this.#node(id));
    this.#values.set(id, value);
    return value;
  }

  #isCheap(id: number): boolean {
    const { recompute, placement } = this.#lowering;
    const { op, inputs } = this.#node(id);
    if (!recompute) return false;
    if (op === 'batchNormRelu') return true;
    // A pooling alone is smaller than what it would be computed from again.
    const pooled = (input: number) => this.#node(input).op === 'maxPool';
    return (
      op === 'concat' &&
      inputs.every((input) => placement.get(input)?.concat === id && (pooled(input) || this.#isCheap(input)))
    );
  }

  #compute(node: Node): Slot {
    const { emitter, buffers } = this.#lowering;
    if (node.op === 'concat') {
      for (const input of node.inputs) this.#values.set(input, this.#compute(this.#node(input)));
      return buffers.get(node.id) as Slot;
    }
    const source = node.inputs[0] as number;
    const place = placeOf(node, this.#lowering);
    if (node.op === 'maxPool') {
      const { window, stride, padding } = node.attributes;
      const args = [slot(this.valueOf(source)), window, stride, padding];
      emitter.effect('inception::max_pool', args, { out: slot(place as Slot) });
      return place as Slot;
    }
    const args = [
      slot((this.#lowered[source] as Lowered).value),
      ...normParameters(node, this.#lowering),
      ...((this.#lowered[node.id] as Lowered).saved as readonly Slot[]).map(slot),
    ];
    if (place === undefined) return emitter.call('inception::batch_norm_relu_again', args);
    emitter.effect('inception::batch_norm_relu_again', args, { out: slot(place) });
    return place;
  }

  #node(id: number): Node {
    return this.#lowering.graph.nodes[id] as Node;
  }
}

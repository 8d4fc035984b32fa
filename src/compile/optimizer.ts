/** RMSProp, weight decay, clipping and the weights' running averages: a few operators over the flat buffers. */
import type { Emitter } from './emitter.ts';
import { normRow } from './layout.ts';
import type { TrainingOptions } from './options.ts';
import type { Value } from './program.ts';

export const flatKinds = ['weights', 'averages', 'gradient', 'meanSquare', 'momentum'] as const;
type FlatKind = (typeof flatKinds)[number];

/** The flat tensors that an update reads and writes; of their decayed and undecayed parts there are views. */
export const flat = (kind: FlatKind): string => `flat/${kind}`;

/** The norm over all gradients, before clipping; float32 []. */
export function gradientNorm(emitter: Emitter): Value {
  const rows = emitter.call('aten::view', [emitter.load(flat('gradient')), [-1, normRow]]);
  const ofRows = emitter.call('aten::linalg_vector_norm', [rows, 2, [1]]);
  return emitter.call('aten::linalg_vector_norm', [ofRows]);
}

/**
 * TensorFlow's RMSProp: ms ← decay · ms + (1 − decay) · g²; mom ← momentum · mom + rate · g / sqrt(ms + epsilon);
 * w ← w − mom. Then averages ← averages + (1 − averageDecay) · (w − averages).
 *
 * With the operator of our own either everything at once by the gradients that the store holds, or each weight by itself
 * (`applyEach`): then its gradient need not be kept, because a pass moves the update to where that is made.
 */
export class Update {
  readonly #emitter: Emitter;
  readonly #options: TrainingOptions;
  readonly #norms: Value[] = [];
  #rates: { learningRate: Value; averageDecay: Value } | undefined;

  constructor(emitter: Emitter, options: TrainingOptions) {
    this.#emitter = emitter;
    this.#options = options;
  }

  /**
   * Updates these weights, or groups of merged ones, by gradients that are values; the rest by those in the store. Gives the
   * norm over all gradients.
   */
  applyEach(weights: readonly { readonly name: string; readonly value: Value }[]): Value {
    const { weightDecay } = this.#options;
    this.#emitter.layer = 'optimizer';
    for (const { name, value } of weights) {
      const of = (kind: FlatKind) => this.#emitter.load(kind === 'weights' ? name : `${kind}/${name}`);
      this.#apply(of, { gradient: value, weightDecay, scale: undefined });
    }
    this.#applyPart('undecayed', { weightDecay: 0, scale: undefined });
    return this.#emitter.call('aten::linalg_vector_norm', [this.#emitter.call('aten::stack', [this.#norms])]);
  }

  /** Everything, by the gradients that the store holds; `norm` is theirs. */
  applyAll(norm: Value): void {
    const emitter = this.#emitter;
    const { clipNorm, weightDecay, kernels = 'native' } = this.#options;
    emitter.layer = 'optimizer';
    const scale = clipNorm === undefined ? undefined : clipScale(emitter, { norm, most: clipNorm });
    if (kernels === 'aten') {
      lowerAten(emitter, { rates: { ...this.#ratesOf(), scale }, options: this.#options });
      return;
    }
    this.#applyPart('decayed', { weightDecay, scale });
    this.#applyPart('undecayed', { weightDecay: 0, scale });
  }

  #applyPart(part: 'decayed' | 'undecayed', how: { weightDecay: number; scale: Value | undefined }): void {
    const of = (kind: FlatKind) => this.#emitter.load(`${part}/${kind}`);
    this.#apply(of, { ...how, gradient: of('gradient') });
  }

  #apply(
    of: (kind: FlatKind) => Value,
    { gradient, weightDecay, scale }: { gradient: Value; weightDecay: number; scale: Value | undefined },
  ): void {
    const { optimizer, averages = true } = this.#options;
    const { learningRate, averageDecay } = this.#ratesOf();
    const norm = this.#emitter.call('inception::rmsprop_', [
      of('weights'),
      of('meanSquare'),
      of('momentum'),
      averages ? of('averages') : null,
      gradient,
      learningRate,
      averageDecay,
      scale ?? null,
      optimizer.decay,
      optimizer.epsilon,
      optimizer.momentum,
      weightDecay,
    ]);
    this.#norms.push(norm);
  }

  #ratesOf() {
    this.#rates ??= {
      learningRate: this.#emitter.input('learningRate', 'float32', []),
      averageDecay: this.#emitter.input('averageDecay', 'float32', []),
    };
    return this.#rates;
  }
}

interface Rates {
  readonly learningRate: Value;
  readonly averageDecay: Value;
  /** What clipping multiplies the gradient by. */
  readonly scale: Value | undefined;
}

function lowerAten(emitter: Emitter, { rates, options }: { rates: Rates; options: TrainingOptions }): void {
  const { decay, epsilon, momentum } = options.optimizer;
  const gradient = emitter.load(flat('gradient'));
  const weights = emitter.load(flat('weights'));
  if (rates.scale !== undefined) emitter.call('aten::mul_.Tensor', [gradient, rates.scale]);
  if (options.weightDecay > 0) {
    const decayed = [emitter.load('decayed/gradient'), emitter.load('decayed/weights')];
    emitter.call('aten::add_.Tensor', decayed, { alpha: options.weightDecay });
  }
  const meanSquare = emitter.load(flat('meanSquare'));
  emitter.call('aten::mul_.Scalar', [meanSquare, decay]);
  emitter.call('aten::addcmul_', [meanSquare, gradient, gradient], { value: 1 - decay });
  const shifted = emitter.call('aten::add.Scalar', [meanSquare, epsilon]);
  const root = emitter.call('aten::sqrt_', [shifted]);
  // The gradient's buffer is overwritten by the step: nothing reads it afterwards.
  emitter.call('aten::div_.Tensor', [gradient, root]);
  emitter.call('aten::mul_.Tensor', [gradient, rates.learningRate]);
  const step = emitter.load(flat('momentum'));
  emitter.call('aten::mul_.Scalar', [step, momentum]);
  emitter.call('aten::add_.Tensor', [step, gradient]);
  emitter.call('aten::sub_.Tensor', [weights, step]);
  if (options.averages === false) return;
  emitter.layer = 'averages';
  const share = emitter.call('aten::rsub.Scalar', [rates.averageDecay, 1]);
  emitter.call('aten::lerp_.Tensor', [emitter.load(flat('averages')), weights, share]);
}

/** min(1, most / norm) */
function clipScale(emitter: Emitter, { norm, most }: { norm: Value; most: number }): Value {
  const inverse = emitter.call('aten::reciprocal', [norm]);
  return emitter.call('aten::clamp_max_', [emitter.call('aten::mul_.Scalar', [inverse, most]), 1]);
}

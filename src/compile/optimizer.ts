/** RMSProp, weight decay, clipping and the weights' running averages: a few operators over the flat buffers. */
import { type Emitter, slot } from './emitter.ts';
import { normRow } from './layout.ts';
import type { TrainingOptions } from './options.ts';
import type { Slot } from './program.ts';

export const flatKinds = ['weights', 'averages', 'gradient', 'meanSquare', 'momentum'] as const;
type FlatKind = (typeof flatKinds)[number];

/** The flat tensors that an update reads and writes; of their decayed and undecayed parts there are views. */
export const flat = (kind: FlatKind): string => `flat/${kind}`;

/** The norm over all gradients, before clipping; float32 []. */
export function gradientNorm(emitter: Emitter): Slot {
  const rows = emitter.call('aten::view', [slot(emitter.load(flat('gradient'))), [-1, normRow]]);
  const ofRows = emitter.call('aten::linalg_vector_norm', [slot(rows), 2, [1]]);
  return emitter.call('aten::linalg_vector_norm', [slot(ofRows)]);
}

/**
 * TensorFlow's RMSProp: ms ← decay · ms + (1 − decay) · g²; mom ← momentum · mom + rate · g / sqrt(ms + epsilon);
 * w ← w − mom. Then averages ← averages + (1 − averageDecay) · (w − averages).
 *
 * With the operator of our own either everything at once, after the last gradient, or each weight as soon as its gradient
 * exists (`applyNow`): then no gradient is kept, and it is read where it was just written, in the cache.
 */
export class Update {
  readonly #emitter: Emitter;
  readonly #options: TrainingOptions;
  readonly #norms: Slot[] = [];
  #rates: { learningRate: Slot; averageDecay: Slot } | undefined;

  constructor(emitter: Emitter, options: TrainingOptions) {
    this.#emitter = emitter;
    this.#options = options;
  }

  /** Updates the decayed weight of this name in the store, or the group of merged ones. Nothing may read it afterwards. */
  applyNow(name: string, gradient: Slot): void {
    const { weightDecay } = this.#options;
    const of = (kind: FlatKind) => this.#emitter.load(kind === 'weights' ? name : `${kind}/${name}`);
    this.#apply(of, { gradient, weightDecay, scale: undefined });
  }

  /** What is left after `applyNow`. Gives the norm over all gradients. */
  finishNow(): Slot {
    this.#emitter.layer = 'optimizer';
    this.#applyPart('undecayed', { weightDecay: 0, scale: undefined });
    const norms = this.#emitter.call('aten::stack', [{ slots: this.#norms }]);
    return this.#emitter.call('aten::linalg_vector_norm', [slot(norms)]);
  }

  /** Everything, by the gradients that the store holds; `norm` is theirs. */
  applyAll(norm: Slot): void {
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

  #applyPart(part: 'decayed' | 'undecayed', how: { weightDecay: number; scale: Slot | undefined }): void {
    const of = (kind: FlatKind) => this.#emitter.load(`${part}/${kind}`);
    this.#apply(of, { ...how, gradient: of('gradient') });
  }

  #apply(
    of: (kind: FlatKind) => Slot,
    { gradient, weightDecay, scale }: { gradient: Slot; weightDecay: number; scale: Slot | undefined },
  ): void {
    const { optimizer, averages = true } = this.#options;
    const { learningRate, averageDecay } = this.#ratesOf();
    const norm = this.#emitter.call('inception::rmsprop_', [
      slot(of('weights')),
      slot(of('meanSquare')),
      slot(of('momentum')),
      averages ? slot(of('averages')) : null,
      slot(gradient),
      slot(learningRate),
      slot(averageDecay),
      scale === undefined ? null : slot(scale),
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
  readonly learningRate: Slot;
  readonly averageDecay: Slot;
  /** What clipping multiplies the gradient by. */
  readonly scale: Slot | undefined;
}

function lowerAten(emitter: Emitter, { rates, options }: { rates: Rates; options: TrainingOptions }): void {
  const { decay, epsilon, momentum } = options.optimizer;
  const gradient = emitter.load(flat('gradient'));
  const weights = emitter.load(flat('weights'));
  if (rates.scale !== undefined) emitter.effect('aten::mul_.Tensor', [slot(gradient), slot(rates.scale)]);
  if (options.weightDecay > 0) {
    const decayed = [slot(emitter.load('decayed/gradient')), slot(emitter.load('decayed/weights'))];
    emitter.effect('aten::add_.Tensor', decayed, { alpha: options.weightDecay });
  }
  const meanSquare = emitter.load(flat('meanSquare'));
  emitter.effect('aten::mul_.Scalar', [slot(meanSquare), decay]);
  emitter.effect('aten::addcmul_', [slot(meanSquare), slot(gradient), slot(gradient)], { value: 1 - decay });
  const shifted = emitter.call('aten::add.Scalar', [slot(meanSquare), epsilon]);
  const root = emitter.call('aten::sqrt_', [slot(shifted)]);
  // The gradient's buffer is overwritten by the step: nothing reads it afterwards.
  emitter.effect('aten::div_.Tensor', [slot(gradient), slot(root)]);
  emitter.effect('aten::mul_.Tensor', [slot(gradient), slot(rates.learningRate)]);
  const step = emitter.load(flat('momentum'));
  emitter.effect('aten::mul_.Scalar', [slot(step), momentum]);
  emitter.effect('aten::add_.Tensor', [slot(step), slot(gradient)]);
  emitter.effect('aten::sub_.Tensor', [slot(weights), slot(step)]);
  if (options.averages === false) return;
  emitter.layer = 'averages';
  const share = emitter.call('aten::rsub.Scalar', [slot(rates.averageDecay), 1]);
  emitter.effect('aten::lerp_.Tensor', [slot(emitter.load(flat('averages'))), slot(weights), slot(share)]);
}

/** min(1, most / norm) */
function clipScale(emitter: Emitter, { norm, most }: { norm: Slot; most: number }): Slot {
  const inverse = emitter.call('aten::reciprocal', [slot(norm)]);
  return emitter.call('aten::clamp_max_', [
    slot(emitter.call('aten::mul_.Scalar', [slot(inverse), most])),
    1,
  ]);
}

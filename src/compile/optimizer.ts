/** RMSProp, weight decay, clipping and the weights' running averages: a few operators over the flat buffers. */
import { type Emitter, slot } from './emitter.ts';
import { normRow } from './layout.ts';
import type { TrainingOptions } from './options.ts';
import type { Slot } from './program.ts';

/** The flat tensors that an update reads and writes, besides the views `decayed/weights` and `decayed/gradient`. */
export const flat = (kind: 'weights' | 'averages' | 'gradient' | 'meanSquare' | 'momentum'): string =>
  `flat/${kind}`;

/** The norm over all gradients, before clipping; float32 []. */
export function gradientNorm(emitter: Emitter): Slot {
  const rows = emitter.call('aten::view', [slot(emitter.load(flat('gradient'))), [-1, normRow]]);
  const ofRows = emitter.call('aten::linalg_vector_norm', [slot(rows), 2, [1]]);
  return emitter.call('aten::linalg_vector_norm', [slot(ofRows)]);
}

/**
 * TensorFlow's RMSProp: ms ← decay · ms + (1 − decay) · g²; mom ← momentum · mom + rate · g / sqrt(ms + epsilon);
 * w ← w − mom. Then averages ← averages + (1 − averageDecay) · (w − averages).
 */
export function lowerUpdate(
  emitter: Emitter,
  { norm, decayedLength, options }: { norm: Slot; decayedLength: number; options: TrainingOptions },
): void {
  emitter.layer = 'optimizer';
  const learningRate = emitter.input('learningRate', 'float32', []);
  const averageDecay = emitter.input('averageDecay', 'float32', []);
  const scale =
    options.clipNorm === undefined ? undefined : clipScale(emitter, { norm, most: options.clipNorm });
  const rates = { learningRate, averageDecay, scale };
  if ((options.kernels ?? 'native') === 'native') lowerNative(emitter, { rates, decayedLength, options });
  else lowerAten(emitter, { rates, options });
}

interface Rates {
  readonly learningRate: Slot;
  readonly averageDecay: Slot;
  /** What clipping multiplies the gradient by. */
  readonly scale: Slot | undefined;
}

function lowerNative(
  emitter: Emitter,
  { rates, decayedLength, options }: { rates: Rates; decayedLength: number; options: TrainingOptions },
): void {
  const { decay, epsilon, momentum } = options.optimizer;
  const buffers = (['weights', 'meanSquare', 'momentum', 'averages', 'gradient'] as const).map((kind) =>
    slot(emitter.load(flat(kind))),
  );
  const scale = rates.scale ?? emitter.call('aten::ones', [[]], { dtype: { dtype: 'float32' } });
  emitter.calls(
    'inception::rmsprop_',
    [
      ...buffers,
      slot(rates.learningRate),
      slot(rates.averageDecay),
      slot(scale),
      decay,
      epsilon,
      momentum,
      options.weightDecay,
      decayedLength,
    ],
    { results: 0 },
  );
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

/** One step of an optimiser over all weights, with weight decay, clipping and the weights' running averages. */
import type { Emitter } from '../emitter.ts';
import { normRow } from '../layout.ts';
import type { TrainingOptions } from '../options.ts';
import type { Value } from '../program.ts';
import type { UpdateTensors } from './optimizer.ts';
import { ruleOf, stateNames } from './optimizers.ts';

/** The flat tensors that an update reads and writes; of their decayed and undecayed parts there are views. */
export const flatKinds = ({ optimizer }: Pick<TrainingOptions, 'optimizer'>): readonly string[] => [
  'weights',
  'averages',
  'gradient',
  ...stateNames(optimizer),
];

export const flat = (kind: string): string => `flat/${kind}`;

/** The norm over all gradients, before clipping; float32 []. */
export function gradientNorm(emitter: Emitter): Value {
  const rows = emitter.call('aten::view', [emitter.load(flat('gradient')), [-1, normRow]]);
  const ofRows = emitter.call('aten::linalg_vector_norm', [rows, 2, [1]]);
  return emitter.call('aten::linalg_vector_norm', [ofRows]);
}

/** How a tensor of some kind ('weights', 'gradient', 'momentum', …) is found for the weights that are updated. */
type TensorOf = (kind: string) => Value;

interface Part {
  readonly gradient: Value;
  readonly weightDecay: number;
  readonly gradientScale: Value | undefined;
}

/**
 * With native operators either everything at once by the gradients that the store holds, or each weight by itself
 * (`applyEach`): then its gradient need not be kept, because a pass moves the update to where that is made.
 * Afterwards averages ← averages + (1 − averageDecay) · (w − averages).
 */
export class Update {
  readonly #emitter: Emitter;
  readonly #options: TrainingOptions;
  readonly #norms: Value[] = [];
  #inputs: (Pick<UpdateTensors<string>, 'learningRate' | 'scalars'> & { averageDecay: Value }) | undefined;

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
      const of: TensorOf = (kind) => this.#emitter.load(kind === 'weights' ? name : `${kind}/${name}`);
      this.#apply(of, { gradient: value, weightDecay, gradientScale: undefined });
    }
    this.#applyPart('undecayed', { weightDecay: 0, gradientScale: undefined });
    return this.#emitter.call('aten::linalg_vector_norm', [this.#emitter.call('aten::stack', [this.#norms])]);
  }

  /** Everything, by the gradients that the store holds; `norm` is theirs. */
  applyAll(norm: Value): void {
    const { clipNorm, weightDecay, kernels = 'native' } = this.#options;
    this.#emitter.layer = 'optimizer';
    const gradientScale =
      clipNorm === undefined ? undefined : clipScale(this.#emitter, { norm, most: clipNorm });
    if (kernels === 'aten') {
      this.#applyAten(gradientScale);
      return;
    }
    this.#applyPart('decayed', { weightDecay, gradientScale });
    this.#applyPart('undecayed', { weightDecay: 0, gradientScale });
  }

  #applyPart(part: 'decayed' | 'undecayed', rest: Omit<Part, 'gradient'>): void {
    const of: TensorOf = (kind) => this.#emitter.load(`${part}/${kind}`);
    this.#apply(of, { ...rest, gradient: of('gradient') });
  }

  #apply(of: TensorOf, part: Part): void {
    const { optimizer, averages = true } = this.#options;
    const { native } = ruleOf(optimizer);
    const tensors = { ...this.#tensors(of), ...part, averages: averages ? of('averages') : undefined };
    this.#norms.push(native(this.#emitter, tensors, { ...optimizer }));
  }

  #applyAten(gradientScale: Value | undefined): void {
    const emitter = this.#emitter;
    const { optimizer, weightDecay, averages = true } = this.#options;
    const rule = ruleOf(optimizer);
    const of: TensorOf = (kind) => emitter.load(flat(kind));
    const gradient = of('gradient');
    const tensors = { ...this.#tensors(of), gradient };
    const { learningRate, averageDecay, weights } = tensors;
    if (gradientScale !== undefined) emitter.call('aten::mul_.Tensor', [gradient, gradientScale]);
    if (weightDecay > 0 && rule.weightDecay === 'gradient') {
      const decayed = [emitter.load('decayed/gradient'), emitter.load('decayed/weights')];
      emitter.call('aten::add_.Tensor', decayed, { alpha: weightDecay });
    } else if (weightDecay > 0) {
      const lost = emitter.call('aten::mul.Scalar', [learningRate, weightDecay]);
      const kept = emitter.call('aten::rsub.Scalar', [lost, 1]);
      emitter.call('aten::mul_.Tensor', [emitter.load('decayed/weights'), kept]);
    }
    rule.aten(emitter, tensors, { ...optimizer });
    if (!averages) return;
    emitter.layer = 'averages';
    const fraction = emitter.call('aten::rsub.Scalar', [averageDecay, 1]);
    emitter.call('aten::lerp_.Tensor', [of('averages'), weights, fraction]);
  }

  #tensors(of: TensorOf) {
    const { optimizer } = this.#options;
    const state = Object.fromEntries(stateNames(optimizer).map((name) => [name, of(name)]));
    return { weights: of('weights'), state, ...this.#scalars() };
  }

  #scalars() {
    const { optimizer } = this.#options;
    const input = (name: string): Value => this.#emitter.input(name, 'float32', []);
    this.#inputs ??= {
      learningRate: input('learningRate'),
      averageDecay: input('averageDecay'),
      scalars: Object.fromEntries(
        Object.keys(ruleOf(optimizer).scalars({ ...optimizer }, 1)).map((name) => [name, input(name)]),
      ),
    };
    return this.#inputs;
  }
}

/** min(1, most / norm) */
function clipScale(emitter: Emitter, { norm, most }: { norm: Value; most: number }): Value {
  const inverse = emitter.call('aten::reciprocal', [norm]);
  return emitter.call('aten::clamp_max_', [emitter.call('aten::mul_.Scalar', [inverse, most]), 1]);
}

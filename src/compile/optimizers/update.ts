/** One optimiser step over all weights, with weight decay, clipping and running averages. */
import type { Emitter } from '../emitter.ts';
import { normRow } from '../layout.ts';
import type { TrainingOptions } from '../options.ts';
import type { Value } from '../program.ts';
import type { ParameterGradient } from '../training/lower-backward.ts';
import type { LearningRates, RateGroup } from './learning-rates.ts';
import type { UpdateTensors } from './optimizer.ts';
import { ruleOf, stateNames } from './optimizers.ts';

/** The flat tensors that an update reads and writes; each has a `decayed/` and an `undecayed/` view. */
export const flatKinds = ({
  optimizer,
  gradient = 'gradient',
}: Pick<TrainingOptions, 'optimizer'> & { gradient?: string }): readonly string[] => [
  'weights',
  'averages',
  gradient,
  ...stateNames(optimizer),
];

export const flat = (kind: string): string => `flat/${kind}`;

/** The global gradient norm before clipping; float32 []. */
export function gradientNorm(emitter: Emitter, kind = 'gradient'): Value {
  const rows = emitter.call('aten::view', [emitter.load(flat(kind)), [-1, normRow]]);
  const rowNorms = emitter.call('aten::linalg_vector_norm', [rows, 2, [1]]);
  return emitter.call('aten::linalg_vector_norm', [rowNorms]);
}

/** Loads the tensor of some kind ('weights', 'gradient', 'momentum', …) for the weights being updated. */
type TensorOf = (kind: string) => Value;

interface Part {
  readonly gradient: Value;
  readonly weightDecay: number;
  readonly gradientScale: Value | undefined;
  /** Factor of the learning rate. */
  readonly rate: number;
}

/**
 * Native operators update either all weights at once from the gradients in the store (`applyAll`), or each weight
 * separately (`applyEach`): then its gradient need not be stored, because a pass moves the update to where it is computed.
 * Or ranges of the weights, as their gradients arrive from other processes (`applyGroups`).
 * Afterwards averages ← averages + (1 − averageDecay) · (w − averages).
 */
export class Update {
  readonly #emitter: Emitter;
  readonly #options: TrainingOptions;
  readonly #rates: LearningRates;
  /** The kind of tensor that holds the gradients. */
  readonly #gradient: string;
  readonly #norms: Value[] = [];
  /** The learning rate times a factor. */
  readonly #scaled = new Map<number, Value>();
  #inputs: (Pick<UpdateTensors<string>, 'learningRate' | 'scalars'> & { averageDecay: Value }) | undefined;

  constructor(
    emitter: Emitter,
    options: TrainingOptions,
    { gradient = 'gradient', ...rates }: LearningRates & { readonly gradient?: string },
  ) {
    this.#emitter = emitter;
    this.#options = options;
    this.#rates = rates;
    this.#gradient = gradient;
  }

  /** Scales the learning rates before anything else, so that an update can follow its gradient at once. */
  begin(): void {
    this.#emitter.layer = 'learning rates';
    for (const factor of this.#rates.factors) if (factor !== 1) this.#learningRate(factor);
  }

  /**
   * Updates these weights, or groups of merged ones, from gradient values; the rest from the gradients in the store.
   * Returns the global gradient norm.
   */
  applyEach(weights: readonly ParameterGradient[]): Value {
    const { weightDecay } = this.#options;
    this.#emitter.layer = 'optimizer';
    for (const { name, members, value } of weights) {
      const tensorOf: TensorOf = (kind) => this.#emitter.load(kind === 'weights' ? name : `${kind}/${name}`);
      const rate = this.#rates.of(members);
      this.#apply(tensorOf, { gradient: value, weightDecay, gradientScale: undefined, rate });
    }
    this.applyGroups(this.#rates.groups.filter(({ decayed }) => !decayed));
    return this.norm();
  }

  /** Updates the weights of these groups from the gradients in the store. */
  applyGroups(groups: readonly RateGroup[]): void {
    this.#emitter.layer = 'optimizer';
    for (const group of groups) this.#applyGroup(group, undefined);
  }

  /** The norm of all gradients that weights were updated from. */
  norm(): Value {
    return this.#emitter.call('aten::linalg_vector_norm', [this.#emitter.call('aten::stack', [this.#norms])]);
  }

  /** Updates everything from the gradients in the store, whose global norm is `norm`. */
  applyAll(norm: Value): void {
    const { clipNorm, kernels = 'native' } = this.#options;
    this.#emitter.layer = 'optimizer';
    const gradientScale =
      clipNorm === undefined ? undefined : clipScale(this.#emitter, { norm, max: clipNorm });
    if (kernels === 'aten') {
      this.#applyAten(gradientScale);
      return;
    }
    for (const group of this.#rates.groups) this.#applyGroup(group, gradientScale);
  }

  #applyGroup({ name, decayed, rate }: RateGroup, gradientScale: Value | undefined): void {
    const tensorOf: TensorOf = (kind) => this.#emitter.load(`${name}/${kind}`);
    const weightDecay = decayed ? this.#options.weightDecay : 0;
    this.#apply(tensorOf, { weightDecay, gradientScale, gradient: tensorOf(this.#gradient), rate });
  }

  #apply(tensorOf: TensorOf, { rate, ...part }: Part): void {
    const { optimizer, averages = true } = this.#options;
    const { native } = ruleOf(optimizer);
    const tensors = {
      ...this.#tensors(tensorOf, rate),
      ...part,
      averages: averages ? tensorOf('averages') : undefined,
    };
    this.#norms.push(native(this.#emitter, tensors, { ...optimizer }));
  }

  #applyAten(gradientScale: Value | undefined): void {
    const emitter = this.#emitter;
    const { optimizer, weightDecay, averages = true } = this.#options;
    const rule = ruleOf(optimizer);
    const { groups, factors } = this.#rates;
    const whole: TensorOf = (kind) => emitter.load(flat(kind));
    const gradient = whole(this.#gradient);
    const { averageDecay } = this.#scalars();
    if (gradientScale !== undefined) emitter.call('aten::mul_.Tensor', [gradient, gradientScale]);
    if (weightDecay > 0 && rule.weightDecay === 'gradient') {
      const decayed = [emitter.load(`decayed/${this.#gradient}`), emitter.load('decayed/weights')];
      emitter.call('aten::add_.Tensor', decayed, { alpha: weightDecay });
    } else if (weightDecay > 0) {
      for (const { name, rate } of groups.filter(({ decayed }) => decayed)) {
        const shrink = emitter.call('aten::mul.Scalar', [this.#learningRate(rate), weightDecay]);
        const factor = emitter.call('aten::rsub.Scalar', [shrink, 1]);
        emitter.call('aten::mul_.Tensor', [emitter.load(`${name}/weights`), factor]);
      }
    }
    // With one rate everywhere the whole buffer is one group.
    const updated = factors.length === 1 ? [{ name: 'flat', rate: 1 }] : groups;
    for (const { name, rate } of updated) {
      const tensorOf: TensorOf = (kind) => emitter.load(`${name}/${kind}`);
      const tensors = { ...this.#tensors(tensorOf, rate), gradient: tensorOf(this.#gradient) };
      rule.aten(emitter, tensors, { ...optimizer });
    }
    if (!averages) return;
    emitter.layer = 'averages';
    const fraction = emitter.call('aten::rsub.Scalar', [averageDecay, 1]);
    emitter.call('aten::lerp_.Tensor', [whole('averages'), whole('weights'), fraction]);
  }

  #tensors(tensorOf: TensorOf, rate: number) {
    const { optimizer } = this.#options;
    const state = Object.fromEntries(stateNames(optimizer).map((name) => [name, tensorOf(name)]));
    const weights = tensorOf('weights');
    return { weights, state, ...this.#scalars(), learningRate: this.#learningRate(rate) };
  }

  #learningRate(factor: number): Value {
    const { learningRate } = this.#scalars();
    if (factor === 1) return learningRate;
    const known = this.#scaled.get(factor);
    if (known) return known;
    const scaled = this.#emitter.call('aten::mul.Scalar', [learningRate, factor]);
    this.#scaled.set(factor, scaled);
    return scaled;
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

/** min(1, max / norm) */
function clipScale(emitter: Emitter, { norm, max }: { norm: Value; max: number }): Value {
  const inverse = emitter.call('aten::reciprocal', [norm]);
  return emitter.call('aten::clamp_max_', [emitter.call('aten::mul_.Scalar', [inverse, max]), 1]);
}

/**
 * What the program passes know about operators. An operator in native/operators/ that takes `out` arguments, or whose result
 * can be recomputed, is declared here and nowhere else.
 */
import type { Call } from '../../program.ts';

export interface OperatorFacts {
  /** For each result, the named argument that says where to write it; null where there is none. */
  readonly out?: readonly (string | null)[];
  /** For each result, the argument that it may overwrite in place: the operator works element by element. */
  readonly over?: readonly number[];
  /** Whether a result may be written into a slice of a wider tensor. */
  readonly writesParts?: true;
  /** The in-place variant of the operator, which overwrites its first argument. */
  readonly inPlace?: string;
  /** The operator that recomputes the first result, from the first `args` arguments and from these other results. */
  readonly recompute?: {
    readonly operator: string;
    readonly args: number;
    readonly results: readonly number[];
  };
  /** May be recomputed together with the concatenation that it feeds; alone it is smaller than what it reads. */
  readonly repeatsInConcat?: true;
  /** The two arguments that take gradients to be added; the second is optional. */
  readonly adds?: readonly [number, number];
  /** Copies a slice of a wider tensor before reading it, as does the operator of its gradient. */
  readonly copiesParts?: true;
  /** The argument whose memory the result is a view of. */
  readonly views?: number;
}

const operators: Readonly<Record<string, OperatorFacts>> = {
  'inception::batch_norm_relu': {
    out: ['out', null, null],
    writesParts: true,
    recompute: { operator: 'inception::batch_norm_relu_again', args: 3, results: [1, 2] },
  },
  'inception::batch_norm_relu_again': { out: ['out'], writesParts: true },
  'inception::batch_norm_relu_backward': {
    out: ['out', 'gamma_out', 'beta_out'],
    over: [1],
    writesParts: true,
  },
  'inception::max_pool': { out: ['out', null], writesParts: true, repeatsInConcat: true },
  'inception::avg_pool': { out: ['out'], writesParts: true },
  'inception::avg_pool_backward': { out: ['out'], writesParts: true },
  'inception::scaled_add': { out: ['out'], over: [1] },
  'inception::scaled_add_backward': { out: ['out', 'scaled_out'], over: [0, 1], adds: [0, 1] },
  'inception::convolution': { copiesParts: true },
  'inception::convolution_packed': { copiesParts: true, views: 3 },
  'inception::convolution_int8': { copiesParts: true, views: 4 },
  'inception::convolution_backward': { out: [null, 'weight_out', 'bias_out'] },
  'aten::relu': { inPlace: 'aten::relu_', over: [0] },
  'aten::convolution': { copiesParts: true },
  'aten::native_batch_norm': { copiesParts: true },
  'aten::max_pool2d_with_indices': { copiesParts: true },
  'aten::avg_pool2d': { copiesParts: true },
  'aten::slice.Tensor': { views: 0 },
  'aten::permute': { views: 0 },
  'aten::view': { views: 0 },
  'aten::expand': { views: 0 },
  'aten::t': { views: 0 },
};

const noFacts: OperatorFacts = {};

export const factsOf = ({ operator }: Pick<Call, 'operator'>): OperatorFacts =>
  operators[operator] ?? noFacts;

/** Operators whose name ends in `_` write into their first argument. */
export const isInPlace = ({ operator }: Pick<Call, 'operator'>): boolean =>
  (operator.split('.')[0] as string).endsWith('_');

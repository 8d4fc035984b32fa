/**
 * What the passes over programs know of operators. Whoever adds one to native/operators/ that can write where it is told,
 * or whose result can be computed again, says it here and nowhere else.
 */
import type { Call } from '../../program.ts';

export interface OperatorFacts {
  /** Of each result the argument by name that says where it is written; null where there is none. */
  readonly out?: readonly (string | null)[];
  /** Of each result the argument over which it may be written, element by element. */
  readonly over?: readonly number[];
  /** Whether a result may also be written into a part of a wider tensor. */
  readonly writesParts?: true;
  /** The same operator with its result over its first argument. */
  readonly inPlace?: string;
  /** Gives the first result once more, from the first arguments and from other results. */
  readonly again?: { readonly operator: string; readonly args: number; readonly results: readonly number[] };
  /** May be computed again with the concatenation that it is a part of; alone it is smaller than what it reads. */
  readonly repeatsInConcat?: true;
  /** Takes the gradient at the first of these arguments also in two parts, the second one at the other argument. */
  readonly adds?: readonly [number, number];
  /** Copies a part of a wider tensor before reading it; its gradient's operator does so again. */
  readonly copiesParts?: true;
  /** The result is another view of this argument's memory. */
  readonly views?: number;
}

const operators: Readonly<Record<string, OperatorFacts>> = {
  'inception::batch_norm_relu': {
    out: ['out', null, null],
    writesParts: true,
    again: { operator: 'inception::batch_norm_relu_again', args: 3, results: [1, 2] },
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

const nothing: OperatorFacts = {};

export const factsOf = ({ operator }: Pick<Call, 'operator'>): OperatorFacts =>
  operators[operator] ?? nothing;

/** Operators whose name ends in `_` write into their first argument. */
export const isInPlace = ({ operator }: Pick<Call, 'operator'>): boolean =>
  (operator.split('.')[0] as string).endsWith('_');

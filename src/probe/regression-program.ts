/** Softmax regression as a program of an engine: the loss of every row, its prediction, and the gradient of the weighted mean. */
import { Emitter } from '../compile/emitter.ts';
import type { Program, StoreSpec } from '../compile/program.ts';
import { finish } from '../compile/program-passes/finish/finish.ts';

export interface RegressionShape {
  readonly rows: number;
  readonly features: number;
  readonly classes: number;
}

/** Names in the store. */
export const stored = { features: 'features', labels: 'labels', minusOne: 'minusOne' } as const;

export const regressionStore = ({ rows, features }: RegressionShape): StoreSpec => ({
  tensors: [
    { name: stored.features, dtype: 'float32', shape: [rows, features] },
    { name: stored.labels, dtype: 'int64', shape: [rows, 1] },
    { name: stored.minusOne, dtype: 'float32', shape: [rows, 1], fill: -1 },
  ],
  views: [],
});

/**
 * Inputs: `weight` [classes, features], `bias` [classes], and `share` [rows, 1], the row's part of the mean. Outputs: `losses` [rows, 1], `predicted`
 * [rows], `weightGradient`, `biasGradient`. Rows with a share of 0 are evaluated and not learnt from.
 */
export function regressionProgram({ rows, features, classes }: RegressionShape): Program {
  const emitter = new Emitter();
  const weight = emitter.input('weight', 'float32', [classes, features]);
  const bias = emitter.input('bias', 'float32', [classes]);
  const share = emitter.input('share', 'float32', [rows, 1]);
  emitter.layer = 'regression';
  const [x, labels] = [emitter.load(stored.features), emitter.load(stored.labels)];
  const logits = emitter.call('aten::linear', [x, weight, bias]);
  const logProbabilities = emitter.call('aten::_log_softmax', [logits, 1, false]);
  emitter.output(
    'losses',
    emitter.call('aten::neg', [emitter.call('aten::gather', [logProbabilities, 1, labels])]),
  );
  emitter.output('predicted', emitter.call('aten::argmax', [logits, 1]));
  const probabilities = emitter.call('aten::exp', [logProbabilities]);
  const difference = emitter.call('aten::scatter_add', [
    probabilities,
    1,
    labels,
    emitter.load(stored.minusOne),
  ]);
  const weighted = emitter.call('aten::mul.Tensor', [difference, share]);
  emitter.output('weightGradient', emitter.call('aten::mm', [emitter.call('aten::t', [weighted]), x]));
  emitter.output('biasGradient', emitter.call('aten::sum.dim_IntList', [weighted, [0], false]));
  return finish(emitter.draft(`softmax regression ${rows}×${features} ${classes} classes`));
}

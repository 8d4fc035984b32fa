import { describe, expect, it } from 'vitest';
import { evaluationLine } from '../../../test/sample-run.ts';
import { bestOf, isOutOfPatience, modelOf } from './model-choice.ts';
import type { EvaluationMetrics } from './records.ts';

/** An evaluation after each epoch, with these errors and losses. */
const evaluations = (...results: readonly (readonly [error: number, loss: number])[]): EvaluationMetrics[] =>
  results.map(([top1Error, validationLoss], index) => ({
    ...evaluationLine(10 * (index + 1)),
    epoch: index + 1,
    top1Error,
    validationLoss,
  }));

describe('the model of a run', () => {
  it('is the evaluation with the lowest error, of equal errors that with the lower loss, of equal losses the earlier', () => {
    expect(bestOf(evaluations([0.4, 1], [0.2, 2], [0.3, 0.5]))?.epoch).toBe(2);
    expect(bestOf(evaluations([0.2, 2], [0.2, 1], [0.2, 3]))?.epoch).toBe(2);
    expect(bestOf(evaluations([0.2, 1], [0.2, 1]))?.epoch).toBe(1);
    expect(bestOf([])).toBeUndefined();
  });

  it('is the last that was chosen, or the last of all where nothing is chosen', () => {
    const [first, second, third] = evaluations([0.2, 1], [0.1, 1], [0.3, 1]) as [
      EvaluationMetrics,
      EvaluationMetrics,
      EvaluationMetrics,
    ];
    const lines = [{ ...first, chosen: true } as const, { ...second, chosen: true } as const, third];
    expect(modelOf(lines, { keepBest: true })?.epoch).toBe(2);
    expect(modelOf(lines, { keepBest: false })?.epoch).toBe(3);
  });
});

describe('patience', () => {
  it('ends when the best evaluation is that many epochs old, and never without it', () => {
    const worse = evaluations([0.2, 1], [0.3, 1], [0.25, 1]);
    expect(isOutOfPatience(worse, 2)).toBe(true);
    expect(isOutOfPatience(worse, 3)).toBe(false);
    expect(isOutOfPatience(worse, null)).toBe(false);
    expect(isOutOfPatience(evaluations([0.2, 1], [0.2, 0.9]), 1)).toBe(false);
    expect(isOutOfPatience([], 1)).toBe(false);
  });

  it('counts epochs, however many of them lie between evaluations', () => {
    const spread = [2, 4, 6].map((epoch) => ({ ...evaluationLine(epoch), epoch, top1Error: epoch }));
    expect(isOutOfPatience(spread, 5)).toBe(false);
    expect(isOutOfPatience(spread, 4)).toBe(true);
    expect(isOutOfPatience(spread, 3)).toBe(true);
  });
});

import { describe, expect, it } from 'vitest';
import { evaluationLine } from '../../../test/sample-run.ts';
import { bestOf, criterionOf, isOutOfPatience, modelOf } from './model-choice.ts';
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

  it('is that with the highest balanced accuracy where classes are to count alike', () => {
    const [first, second, third] = evaluations([0.1, 1], [0.2, 1], [0.15, 2]) as [
      EvaluationMetrics,
      EvaluationMetrics,
      EvaluationMetrics,
    ];
    const lines = [
      { ...first, balancedAccuracy: 0.5 },
      { ...second, balancedAccuracy: 0.7 },
      { ...third, balancedAccuracy: 0.7 },
    ];
    expect(bestOf(lines, 'balancedAccuracy')?.epoch).toBe(2);
    expect(bestOf(lines)?.epoch).toBe(1);
    expect(isOutOfPatience(lines, { patience: 2 })).toBe(true);
    expect(isOutOfPatience(lines, { patience: 2, criterion: 'balancedAccuracy' })).toBe(false);
    expect(criterionOf({ classWeights: 'balanced', sampling: 'shuffle' })).toBe('balancedAccuracy');
    expect(criterionOf({ classWeights: 'none', sampling: 'balanced' })).toBe('balancedAccuracy');
    expect(criterionOf({ classWeights: 'none', sampling: 'shuffle' })).toBe('top1Error');
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
    expect(isOutOfPatience(worse, { patience: 2 })).toBe(true);
    expect(isOutOfPatience(worse, { patience: 3 })).toBe(false);
    expect(isOutOfPatience(worse, { patience: null })).toBe(false);
    expect(isOutOfPatience(evaluations([0.2, 1], [0.2, 0.9]), { patience: 1 })).toBe(false);
    expect(isOutOfPatience([], { patience: 1 })).toBe(false);
  });

  it('counts epochs, however many of them lie between evaluations', () => {
    const spread = [2, 4, 6].map((epoch) => ({ ...evaluationLine(epoch), epoch, top1Error: epoch }));
    expect(isOutOfPatience(spread, { patience: 5 })).toBe(false);
    expect(isOutOfPatience(spread, { patience: 4 })).toBe(true);
    expect(isOutOfPatience(spread, { patience: 3 })).toBe(true);
  });
});

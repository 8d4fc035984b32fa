import { describe, expect, it } from 'vitest';
import { sampleModel } from '../../../test/sample-model.ts';
import { compileExplanation } from './compile-explanation.ts';

describe('compileExplanation', () => {
  it('takes the gradient of the last grid without any step before it', () => {
    const { graph } = sampleModel('inception-v4');
    const { explain } = compileExplanation(graph, { batch: 1, endpoint: 'inceptionC' });
    const backward = explain.steps.flatMap((step) =>
      step.do === 'call' && step.layer.endsWith(' backward') ? [step.layer] : [],
    );
    expect(new Set(backward)).toEqual(new Set(['logits backward', 'averagePooling backward']));
    expect(explain.outputs).toEqual(['logits', 'probabilities', 'activation', 'gradient']);
  });

  it('says what cannot be explained', () => {
    const { graph } = sampleModel('inception-v3', { auxiliary: true });
    const compile = (endpoint: string) => () => compileExplanation(graph, { batch: 1, endpoint });
    expect(compile('inceptionZ')).toThrow(/there is no endpoint 'inceptionZ'; there are stem.conv1, /);
    // The auxiliary head is not part of a prediction.
    expect(compile('auxiliary/logits')).toThrow(/there is no endpoint 'auxiliary\/logits'/);
    const headless = sampleModel('inception-v3', { classes: 0 }).graph;
    expect(() => compileExplanation(headless, { batch: 1 })).toThrow(
      'inception-v3 has no classifier to explain (classes: 0)',
    );
  });
});

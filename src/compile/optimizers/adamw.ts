/**
 * AdamW (arXiv 1711.05101) in PyTorch's form: weight decay shrinks the weights directly and is not added to the gradient.
 * m ← β1 · m + (1 − β1) · g; v ← β2 · v + (1 − β2) · g²; w ← w − rate · (m / (1 − β1^t)) / (sqrt(v / (1 − β2^t)) + epsilon).
 */
import { numberOption } from '../../option.ts';
import { optimizerRule } from './optimizer.ts';

export const adamw = optimizerRule({
  state: { firstMoment: 0, secondMoment: 0 },
  options: {
    beta1: numberOption({
      atLeast: 0,
      below: 1,
      flag: '--beta1 <factor>',
      about: "decay of the gradient's mean in AdamW",
      label: 'Beta 1',
    }),
    beta2: numberOption({
      atLeast: 0,
      below: 1,
      flag: '--beta2 <factor>',
      about: "decay of the gradient's mean square in AdamW",
      label: 'Beta 2',
    }),
    epsilon: numberOption({
      above: 0,
      flag: '--adam-epsilon <value>',
      about: 'added to the root of the mean square in AdamW',
      label: 'AdamW epsilon',
    }),
  },
  defaults: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  typicalLearningRate: 0.001,
  weightDecay: 'decoupled',
  scalars: ({ beta1, beta2 }, step) => ({
    firstCorrection: 1 - beta1 ** step,
    secondCorrection: 1 - beta2 ** step,
  }),
  native: (emitter, { weights, gradient, state, scalars, ...rest }, { beta1, beta2, epsilon }) =>
    emitter.call('inception::adamw_', [
      weights,
      state.firstMoment,
      state.secondMoment,
      rest.averages ?? null,
      gradient,
      rest.learningRate,
      rest.averageDecay,
      rest.gradientScale ?? null,
      scalars.firstCorrection ?? null,
      scalars.secondCorrection ?? null,
      beta1,
      beta2,
      epsilon,
      rest.weightDecay,
    ]),
  aten: (emitter, { weights, gradient, state, learningRate, scalars }, { beta1, beta2, epsilon }) => {
    const { firstCorrection, secondCorrection } = scalars;
    emitter.call('aten::mul_.Scalar', [state.firstMoment, beta1]);
    emitter.call('aten::add_.Tensor', [state.firstMoment, gradient], { alpha: 1 - beta1 });
    emitter.call('aten::mul_.Scalar', [state.secondMoment, beta2]);
    emitter.call('aten::addcmul_', [state.secondMoment, gradient, gradient], { value: 1 - beta2 });
    const corrected = emitter.call('aten::div.Tensor', [state.secondMoment, secondCorrection ?? null]);
    const root = emitter.call('aten::add_.Scalar', [emitter.call('aten::sqrt_', [corrected]), epsilon]);
    const rate = emitter.call('aten::div.Tensor', [learningRate, firstCorrection ?? null]);
    const direction = emitter.call('aten::div.Tensor', [state.firstMoment, root]);
    emitter.call('aten::sub_.Tensor', [weights, emitter.call('aten::mul_.Tensor', [direction, rate])]);
  },
});

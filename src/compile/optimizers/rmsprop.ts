/**
 * RMSProp in TensorFlow's form: the mean square starts at 1 and epsilon is inside the square root.
 * ms ← decay · ms + (1 − decay) · g²; mom ← momentum · mom + rate · g / sqrt(ms + epsilon); w ← w − mom.
 */
import { numberOption } from '../../option.ts';
import { optimizerRule } from './optimizer.ts';

export const rmsprop = optimizerRule({
  state: { meanSquare: 1, momentum: 0 },
  options: {
    decay: numberOption({
      atLeast: 0,
      below: 1,
      flag: '--rms-decay <factor>',
      about: 'decay of the mean square in RMSProp',
      label: 'RMSProp decay',
    }),
    epsilon: numberOption({
      above: 0,
      flag: '--rms-epsilon <value>',
      about: 'added to the mean square inside the root in RMSProp',
      label: 'RMSProp epsilon',
    }),
    momentum: numberOption({
      atLeast: 0,
      below: 1,
      flag: '--momentum <factor>',
      about: 'momentum of RMSProp or SGD',
      label: 'Momentum',
    }),
  },
  defaults: { decay: 0.9, epsilon: 1, momentum: 0.9 },
  typicalLearningRate: 0.05,
  weightDecay: 'gradient',
  scalars: () => ({}),
  native: (emitter, { weights, gradient, state, ...rest }, { decay, epsilon, momentum }) =>
    emitter.call('inception::rmsprop_', [
      weights,
      state.meanSquare,
      state.momentum,
      rest.averages ?? null,
      gradient,
      rest.learningRate,
      rest.averageDecay,
      rest.gradientScale ?? null,
      decay,
      epsilon,
      momentum,
      rest.weightDecay,
    ]),
  aten: (emitter, { weights, gradient, state, learningRate }, { decay, epsilon, momentum }) => {
    emitter.call('aten::mul_.Scalar', [state.meanSquare, decay]);
    emitter.call('aten::addcmul_', [state.meanSquare, gradient, gradient], { value: 1 - decay });
    const shifted = emitter.call('aten::add.Scalar', [state.meanSquare, epsilon]);
    const root = emitter.call('aten::sqrt_', [shifted]);
    emitter.call('aten::div_.Tensor', [gradient, root]);
    emitter.call('aten::mul_.Tensor', [gradient, learningRate]);
    emitter.call('aten::mul_.Scalar', [state.momentum, momentum]);
    emitter.call('aten::add_.Tensor', [state.momentum, gradient]);
    emitter.call('aten::sub_.Tensor', [weights, state.momentum]);
  },
});

/**
 * Stochastic gradient descent with momentum in PyTorch's form: the learning rate is not part of the momentum.
 * mom ← momentum · mom + g; w ← w − rate · mom, or with Nesterov's momentum w ← w − rate · (g + momentum · mom).
 */
import { booleanOption, numberOption } from '../../option.ts';
import { optimizerRule } from './optimizer.ts';

export const sgd = optimizerRule({
  state: { momentum: 0 },
  options: {
    momentum: numberOption({
      atLeast: 0,
      below: 1,
      flag: '--momentum <factor>',
      about: 'momentum of RMSProp or SGD',
      label: 'Momentum',
    }),
    nesterov: booleanOption({
      flag: '--nesterov',
      about: "Nesterov's momentum in SGD",
      label: 'Nesterov momentum',
    }),
  },
  defaults: { momentum: 0.9, nesterov: false },
  typicalLearningRate: 0.05,
  weightDecay: 'gradient',
  scalars: () => ({}),
  native: (emitter, { weights, gradient, state, ...rest }, { momentum, nesterov }) =>
    emitter.call('inception::sgd_', [
      weights,
      state.momentum,
      rest.averages ?? null,
      gradient,
      rest.learningRate,
      rest.averageDecay,
      rest.gradientScale ?? null,
      momentum,
      nesterov,
      rest.weightDecay,
    ]),
  aten: (emitter, { weights, gradient, state, learningRate }, { momentum, nesterov }) => {
    emitter.call('aten::mul_.Scalar', [state.momentum, momentum]);
    emitter.call('aten::add_.Tensor', [state.momentum, gradient]);
    if (nesterov) emitter.call('aten::add_.Tensor', [gradient, state.momentum], { alpha: momentum });
    const direction = nesterov ? gradient : state.momentum;
    emitter.call('aten::sub_.Tensor', [weights, emitter.call('aten::mul.Tensor', [direction, learningRate])]);
  },
});

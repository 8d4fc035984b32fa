/** What a Keras model's configuration means for an import: input size, scaling of pixels, and layers that cannot be imported. */
import type { Preprocessing } from '../images/preprocess.ts';
import type { TensorFile } from '../weights/tensor-file.ts';
import type { FileSettings } from './dialect.ts';
import { type ModelConfig, readModelConfig } from './model-config.ts';

/** The activations after which the classes of the highest logits are the answer. */
const activations = ['softmax', 'linear', 'sigmoid'];

export function settingsIn({ metadata }: Pick<TensorFile, 'metadata'>): FileSettings {
  const text = metadata.get('model_config');
  if (text === undefined) return { decisions: [] };
  let config: ModelConfig | undefined;
  try {
    config = readModelConfig(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { decisions: ['its configuration is not JSON and was left out'] };
  }
  if (!config) return { decisions: [] };
  const { inputSize, scaling, activation, unknownBefore, unknownAfter, hidden, pooling } = config;
  const isUnknown = activation !== undefined && !activations.includes(activation);
  const unknownHidden = hidden.filter((layer) => layer.activation !== 'relu');
  const problems = [
    ...unknownAfter,
    ...unknownHidden.map(
      ({ name, activation: theirs }) => `activation '${theirs}' of the hidden layer '${name}'`,
    ),
    ...(isUnknown ? [`activation '${activation}'`] : []),
  ];
  return {
    ...(inputSize && { inputSize }),
    ...(scaling && { preprocessing: preprocessingOf(scaling) }),
    ...(unknownBefore.length > 0 && {
      inputProblem: `it changes its input by ${unknownBefore.join(', ')}, which is not known here; --mean and --std say what reaches the network`,
    }),
    ...(hidden.length > 0 && { saysHidden: true }),
    ...(pooling && { pooling }),
    ...(problems.length > 0 && {
      headProblem: `its head has ${problems.join(', ')}, which the networks here do not have; --reset-classifier N leaves the head out`,
    }),
    decisions: [
      ...(scaling
        ? [
            `it scales pixels itself: x · ${+scaling.scale.toPrecision(6)} + ${+scaling.offset.toPrecision(6)}`,
          ]
        : []),
      ...(activation === 'sigmoid'
        ? [
            'its classifier ends in a sigmoid: the logits are its own, probabilities over several classes are softmax’s here',
          ]
        : []),
    ],
  };
}

/** scale · x + offset as (x / 255 − mean) / std. */
function preprocessingOf({ scale, offset }: NonNullable<ModelConfig['scaling']>): Partial<Preprocessing> {
  const std = 1 / (255 * scale);
  // Without the sign of −0, which JSON keeps from nobody but a comparison.
  const mean = -offset * std || 0;
  return { mean: [mean, mean, mean], std: [std, std, std] };
}

/** What a compiled training step takes and gives. */
import { scalarInputs } from '../compile/optimizers/optimizers.ts';
import type { TrainingBatch } from '../data/batches.ts';
import type { HostArray, HostTensor } from '../engine/engine.ts';
import type { Configuration } from './configuration/configuration.ts';
import type { Measured } from './metrics-window.ts';
import { averageDecayAt, batchNormMomentumAt } from './recipe/recipe.ts';

interface StepAt {
  readonly configuration: Configuration;
  /** Completed steps. */
  readonly step: number;
  readonly learningRate: number;
  readonly classWeights: Float32Array | undefined;
}

export function stepInputs(
  { images, labels, mixed }: Pick<TrainingBatch, 'images' | 'labels' | 'mixed'>,
  { configuration: { recipe, weights }, step, learningRate, classWeights }: StepAt,
): Record<string, HostArray> {
  const momentum = batchNormMomentumAt(step, recipe.batchNormMomentum, { trained: weights !== undefined });
  return {
    images,
    labels,
    ...mixed,
    learningRate: new Float32Array([learningRate]),
    averageDecay: new Float32Array([averageDecayAt(step, recipe.averageDecay)]),
    batchNormMomentum: new Float32Array([momentum]),
    ...(classWeights && { classWeights }),
    ...scalarInputs(recipe.optimizer, step + 1),
  };
}

export function readOutputs(outputs: Record<string, HostTensor>): Measured {
  const number = (name: string) => Number(outputs[name]?.data[0]);
  return {
    loss: number('loss'),
    wrong: number('wrong'),
    gradientNorm: number('gradientNorm'),
    zeroShare: number('zeroShare'),
  };
}

/** What a compiled training step takes and gives. */
import { scalarInputs } from '../compile/optimizers/optimizers.ts';
import type { TrainingBatch } from '../data/batches.ts';
import type { HostArray, HostTensor } from '../engine/engine.ts';
import type { Configuration } from './configuration/configuration.ts';
import type { Measured } from './metrics-window.ts';
import { averageDecayAt, batchNormMomentumAt } from './recipe/recipe.ts';

/** What a process asks of all others in a step; each adds its own. */
export interface Asked {
  readonly stop: boolean;
  readonly save: boolean;
}

interface StepAt {
  readonly configuration: Configuration;
  /** Completed steps. */
  readonly step: number;
  readonly learningRate: number;
  readonly classWeights: Float32Array | undefined;
  readonly asked?: Asked | undefined;
}

/** Without a batch: what is not about images. */
export function stepInputs(
  batch: Pick<TrainingBatch, 'images' | 'labels' | 'mixed'> | undefined,
  { configuration: { recipe, weights }, step, learningRate, classWeights, asked }: StepAt,
): Record<string, HostArray> {
  const momentum = batchNormMomentumAt(step, recipe.batchNormMomentum, { trained: weights !== undefined });
  return {
    ...(batch && { images: batch.images, labels: batch.labels, ...batch.mixed }),
    ...(asked && { stop: flag(asked.stop), save: flag(asked.save) }),
    learningRate: new Float32Array([learningRate]),
    averageDecay: new Float32Array([averageDecayAt(step, recipe.averageDecay)]),
    batchNormMomentum: new Float32Array([momentum]),
    ...(classWeights && { classWeights }),
    ...scalarInputs(recipe.optimizer, step + 1),
  };
}

const flag = (value: boolean): Float32Array => new Float32Array([value ? 1 : 0]);

/** What any process asked for; undefined for programs of one process that has one replica. */
export function readAsked({ stop, save }: Record<string, HostTensor>): Asked | undefined {
  if (!stop || !save) return undefined;
  return { stop: Number(stop.data[0]) > 0, save: Number(save.data[0]) > 0 };
}

/** The outputs of a step, whose means are over `replicas`. */
export function readOutputs(outputs: Record<string, HostTensor>, replicas = 1): Measured {
  const number = (name: string) => Number(outputs[name]?.data[0]);
  return {
    loss: number('loss'),
    wrong: Math.round(number('wrong') * replicas),
    gradientNorm: number('gradientNorm'),
    zeroShare: number('zeroShare'),
  };
}

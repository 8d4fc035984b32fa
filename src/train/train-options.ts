/** What a training is asked for, and what it tells. */
import type { Device, Engine, EngineFacts } from '../engine/engine.ts';
import type { Configuration } from './configuration.ts';
import type { NewRun } from './create-configuration.ts';
import type { EvaluationMetrics } from './run/run-folder.ts';
import type { Progress, Start } from './run-loop.ts';

/** What a new run and one that goes on have in common. */
export interface TrainingControls {
  /** Epochs between evaluations. Default 1. */
  readonly evaluateEvery?: number | undefined;
  /** Steps between checkpoints, besides those at the end of each epoch and every ten minutes. */
  readonly saveEverySteps?: number | undefined;
  /** Default `auto`: CUDA where it is. */
  readonly device?: Device | 'auto';
  /** Threads of one operator. Default: every core. */
  readonly threads?: number | undefined;
  /** An engine to share; it stays open. Default: one of its own. */
  readonly engine?: Engine;
  /** Aborting saves a checkpoint and ends the training; so does `stop`. */
  readonly signal?: AbortSignal;
}

/** A new run. */
export interface TrainOptions extends NewRun, TrainingControls {
  /** The run folder, which must not hold a run. */
  readonly out: string;
}

/** A run that goes on from its newest checkpoint, bit for bit. */
export interface ResumeOptions extends TrainingControls {
  /** The run folder. */
  readonly resume: string;
  /** To be sure which network it is. */
  readonly network?: string | undefined;
}

/** What happens in a training, in order. */
export type TrainEvent =
  /** Everything is read and compiled; the first step comes next. */
  | ({ readonly kind: 'start'; readonly configuration: Configuration; readonly engine: EngineFacts } & Start)
  | ({ readonly kind: 'step' } & Progress)
  | EvaluationMetrics
  /** An image that cannot be decoded. */
  | { readonly kind: 'warning'; readonly message: string };

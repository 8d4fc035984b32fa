/** The options and events of a training. */
import type { Device, Engine, EngineFacts } from '../engine/engine.ts';
import type { Configuration } from './configuration.ts';
import type { NewRun } from './create-configuration.ts';
import type { EvaluationMetrics } from './run/run-folder.ts';
import type { Progress, Start } from './run-loop.ts';

/** Options of both new and resumed runs. */
export interface TrainingControls {
  /** Epochs between evaluations. Default 1. */
  readonly evaluateEvery?: number | undefined;
  /** Steps between checkpoints, in addition to one per epoch and one every ten minutes. */
  readonly saveEverySteps?: number | undefined;
  /** Default `auto`: CUDA if available. */
  readonly device?: Device | 'auto';
  /** Threads per operator. Default: all cores. */
  readonly threads?: number | undefined;
  /** An engine to use; it stays open. Default: a new one. */
  readonly engine?: Engine;
  /** Aborting saves a checkpoint and ends the training, as `stop` does. */
  readonly signal?: AbortSignal;
}

/** A new run. */
export interface TrainOptions extends NewRun, TrainingControls {
  /** The run folder to create; it must not already hold a run. */
  readonly out: string;
}

/** Resumes a run from its latest checkpoint, bit for bit. */
export interface ResumeOptions extends TrainingControls {
  /** The run folder. */
  readonly resume: string;
  /** The expected network; an error if the run has another. */
  readonly network?: string | undefined;
}

/** The events of a training, in order. */
export type TrainEvent =
  /** Everything is loaded and compiled; the first step is next. */
  | ({ readonly kind: 'start'; readonly configuration: Configuration; readonly engine: EngineFacts } & Start)
  | ({ readonly kind: 'step' } & Progress)
  | EvaluationMetrics
  /** An image could not be decoded. */
  | { readonly kind: 'warning'; readonly message: string };

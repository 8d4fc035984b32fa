/** The options and events of a training. */
import type { Group } from '../distributed/group.ts';
import type { Device, Engine, EngineFacts } from '../engine/engine.ts';
import type { NewRun } from './configuration/create-configuration.ts';
import type { RunPace } from './configuration/run-options.ts';
import type { Estimate } from './estimate/estimate.ts';
import type { EvaluationMetrics, TestMetrics } from './run/run-folder.ts';
import type { Progress, Start } from './run-loop.ts';

/** Options of both new and resumed runs. */
export interface TrainingControls extends RunPace {
  /** Default `auto`: CUDA if available; for a resumed run the one that it began on. */
  readonly device?: Device | 'auto';
  /** Threads per operator. Default: all cores; for a resumed run the number that it began with. */
  readonly threads?: number | undefined;
  /** An engine to use; it stays open. Default: a new one. */
  readonly engine?: Engine;
  /** Aborting saves a checkpoint and ends the training, as `stop` does. */
  readonly signal?: AbortSignal;
  /** The processes that train together, each of which makes this call with the same options; it stays open. Default: this one alone. */
  readonly group?: Group | undefined;
}

/** A new run. */
export interface TrainOptions extends NewRun, TrainingControls {
  /** The run folder to create; it must not already hold a run. */
  readonly out: string;
  /**
   * With `weights`: whether the error of nearest neighbours and of a probe on the same images is measured first, where that takes a
   * tenth of the training's time or less; never with `timeSeconds`. Default true.
   */
  readonly probe?: boolean | undefined;
  /**
   * For a command that a launcher starts again after a failure: true resumes the run that the same options have begun in `out`, if there is
   * one; false begins such a run. Without it no run is resumed.
   */
  readonly goOn?: boolean | undefined;
}

/**
 * Resumes a run from its latest checkpoint, bit for bit. What may change is changed from here on and recorded in the run's
 * config.json: more epochs, a lower learning rate, the folder of the same data, and, with other last bits, the device and
 * the threads. Any other option is a UsageError.
 */
export interface ResumeOptions extends TrainingControls {
  /** The run folder. */
  readonly resume: string;
  /** The expected network; an error if the run has another. */
  readonly network?: string | undefined;
  /** The folder that the data have moved to. It must hold the same files. */
  readonly data?: string | undefined;
  readonly recipe?: {
    /** The number of epochs in all, at least the run's. The schedule of the learning rate follows it. */
    readonly epochs?: number | undefined;
    /** The initial learning rate, at most the run's. */
    readonly learningRate?: number | undefined;
  };
}

/** The events of a training, in order. */
export type TrainEvent =
  /** Everything is loaded and compiled; the first step is next. */
  | ({ readonly kind: 'start'; readonly engine: EngineFacts } & Start)
  | ({ readonly kind: 'step' } & Progress)
  /** After the fourth step: how long the rest will take. */
  | ({ readonly kind: 'estimate' } & Estimate)
  /** An evaluation on the validation images. */
  | EvaluationMetrics
  /** The score on the test images, once, at the end. */
  | TestMetrics
  /** An image could not be decoded, or a resumed run may differ in its last bits. */
  | { readonly kind: 'warning'; readonly message: string }
  /** What has changed in a resumed run; what was decided in opening the weights of a new one. */
  | { readonly kind: 'note'; readonly message: string };

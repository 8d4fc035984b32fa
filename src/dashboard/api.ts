/** The dashboard's API as types, shared by server and page. Pure; also for browsers. */
import type { NetworkOptions } from '../networks/networks.ts';
import type { Configuration } from '../train/configuration/configuration.ts';
import type { RepeatCommand } from '../train/configuration/repeat-command.ts';
import type { EvaluationMetrics, Metrics, TestMetrics } from '../train/run/records.ts';

export interface RunSummary {
  /** The folder's name, `EXPERIMENT/ARM-seedN` of a training of an experiment. */
  readonly id: string;
  readonly network: string;
  readonly options: NetworkOptions;
  readonly data: string;
  /** How many. */
  readonly classes: number;
  readonly seed: number;
  /** Hyper-parameters by name (`learningRate`, `options.width`, `schedule.kind`), without the seed: equal for runs that differ by it alone. */
  readonly settings: Readonly<Record<string, string>>;
  readonly epochs: number;
  readonly batch: number;
  /** Step of the last line of metrics.jsonl. */
  readonly step: number;
  readonly epoch: number;
  /** Seconds of training until the last line. */
  readonly elapsedSeconds: number;
  /** The last evaluation on the validation images, if any. */
  readonly evaluation: EvaluationMetrics | undefined;
  /** The score on the test images at the end, if any. */
  readonly test: TestMetrics | undefined;
  readonly training: boolean;
  /** Of notes.json; empty also where that cannot be read, which the page of the run says. */
  readonly tags: readonly string[];
  /** Bytes of metrics.jsonl. */
  readonly size: number;
  /** Modification time of metrics.jsonl, milliseconds since 1970. */
  readonly changed: number;
}

/** A part of metrics.jsonl. */
export interface MetricsPart {
  /** False if the file is shorter than the requested offset: the run was restarted, and the reader must start over. */
  readonly continues: boolean;
  /** Byte offset of the next part. */
  readonly next: number;
  readonly metrics: readonly Metrics[];
}

/** A folder of `inception reproduce`. */
export interface ExperimentSummary {
  /** The folder's name. */
  readonly id: string;
  readonly claim: string;
  readonly scale: string;
  readonly seeds: number;
  readonly data?: string;
  /** Trainings that have a record, whether their folders are here or not. */
  readonly ended: number;
  /** At `GET /api/experiments/ID/report`. */
  readonly hasReport: boolean;
}

/** `GET /api/runs` */
export interface RunList {
  /** Most recently changed first. */
  readonly runs: readonly RunSummary[];
  /** By name. */
  readonly experiments: readonly ExperimentSummary[];
  /** Folders whose configuration, or whose experiment.json, cannot be read. */
  readonly broken: readonly { readonly id: string; readonly reason: string }[];
}

export interface ModelFile {
  /** Identifies the path, which is not sent to the page. */
  readonly id: string;
  /** `first/model.onnx` */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface SettingOfRun {
  readonly name: string;
  readonly value: string;
  /** What the recipe says instead, where it does. */
  readonly usual?: string;
}

/** `GET /api/runs/ID/about` */
export interface AboutRun {
  readonly network: string;
  readonly options: NetworkOptions;
  readonly data: string;
  /** Of each split, before any limit; empty for runs of versions that did not count them. */
  readonly images: Readonly<Record<string, number>>;
  readonly recipe: readonly SettingOfRun[];
  /** What is no part of a recipe. */
  readonly settings: readonly SettingOfRun[];
  /** What was decided in the user's place. */
  readonly decisions: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
  /** Where it was begun; undefined for runs of earlier versions. */
  readonly machine: Configuration['machine'];
  /** What trains the same once more. */
  readonly repeat: RepeatCommand;
  /** Files of weights; times in milliseconds since 1970. */
  readonly checkpoints: readonly {
    readonly name: string;
    readonly bytes: number;
    readonly changed: number;
  }[];
  /** The model card as Markdown, if there is one. */
  readonly card: string | undefined;
}

/** `GET /api/runs/ID/notes`, as in notes.json */
export interface Notes {
  readonly format: 1;
  readonly text: string;
  readonly tags: readonly string[];
}

/** `PUT /api/runs/ID/notes` */
export interface NotesChange {
  /** What the page had read; null for none. */
  readonly before: Notes | null;
  readonly notes: Notes;
}

/** `GET /api/control` */
export interface Control {
  /** Whether runs can be stopped, resumed and started, with the token. */
  readonly training: boolean;
}

/** `GET /api/weights` */
export interface WeightsList {
  readonly weights: readonly { readonly id: string; readonly name: string }[];
}

/** `POST /api/teach/NAME` */
export interface TeachStarted {
  /** The run's id. */
  readonly run: string;
}

/** What the server says to the page, as types. Pure; also for browsers. */
import type { NetworkOptions } from '../networks/networks.ts';
import type { EvaluationMetrics, Metrics } from '../train/records.ts';

export interface RunSummary {
  /** The folder's name. */
  readonly id: string;
  readonly network: string;
  readonly options: NetworkOptions;
  readonly data: string;
  readonly classes: readonly string[];
  readonly epochs: number;
  readonly batch: number;
  /** The last of metrics.jsonl. */
  readonly step: number;
  readonly epoch: number;
  /** The last evaluation, if there was one. */
  readonly evaluation: EvaluationMetrics | undefined;
  readonly training: boolean;
  /** Bytes of metrics.jsonl. */
  readonly size: number;
  /** Milliseconds since 1970 of the last line. */
  readonly changed: number;
}

/** A stretch of metrics.jsonl. */
export interface MetricsPart {
  /** False if the file is shorter than what was asked for: a resumed run begins again, and so must the reader. */
  readonly continues: boolean;
  /** Where the next part begins, in bytes. */
  readonly next: number;
  readonly metrics: readonly Metrics[];
}

/** `GET /api/runs` */
export interface RunList {
  /** The one that changed last first. */
  readonly runs: readonly RunSummary[];
  /** Folders whose configuration cannot be read. */
  readonly broken: readonly { readonly id: string; readonly reason: string }[];
}

export interface ModelFile {
  /** Stands for the path, which never leaves this process. */
  readonly id: string;
  /** `first/model.onnx` */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A model that is open for reading: what it is, and its parameters one at a time. */
import type { Graph, Parameter } from '../graph/graph.ts';
import type { ModelDescription } from './description.ts';

export interface OpenedModel {
  readonly description: ModelDescription;
  readonly graph: Graph;
  /** What was read: `runs/first/model.safetensors`. */
  readonly source: string;
  read(parameter: Parameter): Promise<Float32Array>;
  close(): Promise<void>;
}

export interface OpenModelOptions {
  /** Called with lines for a person: what is downloaded, what was assumed. */
  readonly onNotice?: (line: string) => void;
  /** Called while a hub's file is downloaded. */
  readonly onProgress?: (progress: { file: string; done: number; total: number | undefined }) => void;
}

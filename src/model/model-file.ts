/** A model that is open for reading: what it is, and its parameters one at a time. */
import type { Graph, Parameter } from '../graph/graph.ts';
import type { ModelDescription } from './description.ts';

/** A model that is open for reading, one parameter at a time. */
export interface ModelFile {
  readonly description: ModelDescription;
  readonly graph: Graph;
  /** What was opened: `runs/first/model.safetensors`, `hub:timm/inception_v4.tf_in1k`. */
  readonly source: string;
  /** The values of a parameter of `graph`, in C order of its shape. */
  read(parameter: Parameter): Promise<Float32Array>;
  close(): Promise<void>;
}

/** What a model that takes long to open tells on the way. */
export interface Notices {
  /** Called with lines for a person: what is downloaded, what was assumed. */
  readonly onNotice?: (line: string) => void;
  /** Called while a hub's file is downloaded; bytes. */
  readonly onProgress?: (progress: { file: string; done: number; total: number | undefined }) => void;
}

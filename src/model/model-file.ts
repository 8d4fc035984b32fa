/** A model file that is open for reading. */
import type { Graph, Parameter } from '../graph/graph.ts';
import type { ModelDescription } from './description.ts';

/** A model that is open for reading, one parameter at a time. */
export interface ModelFile {
  readonly description: ModelDescription;
  readonly graph: Graph;
  /** What was opened, as `runs/first/model.safetensors`, `hub:timm/inception_v4.tf_in1k`. */
  readonly source: string;
  /** The values of a parameter of `graph`, in C order of its shape. */
  read(parameter: Parameter): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Callbacks that report on opening a model, which may take long. */
export interface Notices {
  /** Called with messages for the user: what is downloaded, what was assumed. */
  readonly onNotice?: (line: string) => void;
  /** Called with byte counts while a file is downloaded from the hub. */
  readonly onProgress?: (progress: { file: string; done: number; total: number | undefined }) => void;
}

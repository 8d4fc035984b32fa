/** From our names to a dialect's. Each dialect has a table of its own; this is what they have in common. */
import { InceptionError } from '../errors.ts';
import type { Parameter } from '../graph/graph.ts';

/** A network or a parameter that a dialect has no name for. */
export class NamesError extends InceptionError {
  override name = 'NamesError';
}

/** One dialect's names for one graph. */
export interface NameTable {
  /** The name of a parameter of a layer, or undefined if the dialect has none. */
  readonly parameter: (layer: string, parameter: Parameter) => string | undefined;
  /** The name of a stage that is a named part in both, by our endpoint. */
  readonly stage: (endpoint: string) => string | undefined;
}

/**
 * The record of an ecosystem that distributes weights of these networks: everything that is known of it. Each stands in a
 * file of its own; `dialects.ts` lists them, and all that the package does with foreign weights follows from the list.
 */
import { InceptionError } from '../errors.ts';
import type { Graph, Parameter } from '../graph/graph.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import type { ResamplingKernel } from '../images/resize.ts';
import type { Layout } from './layouts.ts';

/** A network or a parameter that a dialect has no name for. */
export class NamesError extends InceptionError {
  override name = 'NamesError';
}

/** What a dialect calls the parts of a graph. One table for both directions: what it writes, a file is searched for. */
export interface DialectNames {
  /** Its name of a parameter, or undefined if it has none. */
  readonly names: (graph: Graph) => (parameter: Pick<Parameter, 'name' | 'role'>) => string | undefined;
  /** Its name of a stage that is a named part in both, by our endpoint. */
  readonly stages?: (graph: Graph) => (endpoint: string) => string | undefined;
}

/** One network as a dialect has it. */
export interface DialectNetwork extends DialectNames {
  /** Tensors by which its files are known, by their canonical names. */
  readonly anchors: readonly string[];
  /** Whether average pooling counts its padding there. Default false. */
  readonly countPadding?: boolean;
  /** Whether a file may have the auxiliary classifier. Default false. */
  readonly auxiliaryHead?: boolean;
  /** Where the evaluation of its weights differs from the dialect's. */
  readonly preprocessing?: Partial<Preprocessing>;
  /** What a config.json of the hub calls it. */
  readonly architecture?: string;
}

/** How the ecosystem describes a model in the hub's config.json, besides the architectures of its networks. */
export interface HubWords {
  /** Its word for each kernel; read backwards, a word means the first kernel that has it. */
  readonly interpolations: Readonly<Record<ResamplingKernel, string>>;
}

export interface Dialect<Name extends string = string> {
  readonly name: Name;
  /** As people write it. */
  readonly title: string;
  /** Another dialect's name that `from` may say as well: one ecosystem with two implementations. */
  readonly family?: string;
  readonly layout: Layout;
  /** Whether its batch normalisation has a gamma. A file says in the end; this is what an exported one has. */
  readonly gamma: boolean;
  readonly networks: Readonly<Record<string, DialectNetwork>>;
  /** How it evaluates its weights, where that differs from ours. */
  readonly preprocessing: Partial<Preprocessing>;
  /** The canonical name of every tensor, by the file's own. Default: they are the same. */
  readonly canonical?: (names: Iterable<string>) => ReadonlyMap<string, string>;
  /** Tensors that belong to training or bookkeeping and are left out. */
  readonly ignored: RegExp;
  /** Only of dialects whose models are on the hub. */
  readonly hub?: HubWords;
}

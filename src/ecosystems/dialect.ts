/**
 * The record of an ecosystem that distributes weights of these networks: everything the package knows about it. Each has
 * its own file; `dialects.ts` lists them, and everything the package does with foreign weights follows from that list.
 */
import { InceptionError } from '../errors.ts';
import type { Graph, Parameter } from '../graph/graph.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import type { ResamplingKernel } from '../images/resize.ts';
import type { TensorFile } from '../weights/tensor-file.ts';
import type { Layout } from './layouts.ts';

/** A dialect has no name for a network or a parameter. */
export class NamesError extends InceptionError {
  override name = 'NamesError';
}

/** What a dialect calls the parts of a graph. One table serves both directions: exports write these names, imports look for them. */
export interface DialectNames {
  /** The dialect's name of a parameter, or undefined if it has none. */
  readonly names: (graph: Graph) => (parameter: Pick<Parameter, 'name' | 'role'>) => string | undefined;
  /** The dialect's name of an endpoint, where it is a named module in both. */
  readonly stages?: (graph: Graph) => (endpoint: string) => string | undefined;
}

/** One network of a dialect. */
export interface DialectNetwork extends DialectNames {
  /** Canonical names of the tensors that identify its files. */
  readonly anchors: readonly string[];
  /** Whether its average pooling counts the padding. Default false. */
  readonly countPadding?: boolean;
  /** Whether a file may contain the auxiliary classifier. Default false. */
  readonly auxiliaryHead?: boolean;
  /** Where its preprocessing differs from the dialect's. */
  readonly preprocessing?: Partial<Preprocessing>;
  /** Its `architecture` in the hub's config.json. */
  readonly architecture?: string;
  /** Names that it had there before, with the preprocessing of the weights that such a name stood for. */
  readonly legacyArchitectures?: Readonly<Record<string, Partial<Preprocessing>>>;
}

/** The ecosystem's vocabulary in the hub's config.json, besides the architectures of its networks. */
export interface HubWords {
  /** Its word for each kernel. When reading, a word means the first kernel listed with it. */
  readonly interpolations: Readonly<Record<ResamplingKernel, string>>;
  /** Where its own evaluation would depart from this preprocessing, as a clause; undefined if it would not. */
  readonly departsFrom: (preprocessing: Preprocessing) => string | undefined;
  /** Markdown for a model's card: how the model is opened there, from a repository of the hub or from the card's folder. */
  readonly usage: (repository: string | undefined) => string;
}

/** What a file says of its model besides the weights. */
export interface FileSettings {
  readonly inputSize?: readonly [height: number, width: number];
  /** How the model itself scales pixels. */
  readonly preprocessing?: Partial<Preprocessing>;
  /** Why its input cannot be prepared here, unless the caller says how. */
  readonly inputProblem?: string;
  /** Whether it says that the hidden layers of its head end in ReLU; other activations are a `headProblem`. */
  readonly saysHidden?: boolean;
  /** Window of the pooling before its head, where that is not over the whole grid by definition. */
  readonly pooling?: readonly [height: number, width: number];
  /** Why its classifier cannot be read. */
  readonly headProblem?: string;
  readonly decisions: readonly string[];
}

export interface Dialect<Name extends string = string> {
  readonly name: Name;
  /** The name as its authors write it. */
  readonly title: string;
  /** Another dialect's name that `from` accepts for this one too: one ecosystem with two implementations. */
  readonly family?: string;
  readonly layout: Layout;
  /** Whether exported batch normalisation has a gamma. On import, the file decides. */
  readonly gamma: boolean;
  readonly networks: Readonly<Record<string, DialectNetwork>>;
  /** The preprocessing for its weights, where it differs from the standard one. */
  readonly preprocessing: Partial<Preprocessing>;
  /** Maps the tensor names in a file to canonical names. Default: identity. */
  readonly canonical?: (
    tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  ) => ReadonlyMap<string, string>;
  /** Reads what a file says of its model. Default: nothing. */
  readonly settings?: (file: Pick<TensorFile, 'metadata'>) => FileSettings;
  /** Whether the layers of a user's head stand beside those of the network, with names that say nothing. Default false. */
  readonly flat?: boolean;
  /** Tensors to leave out: training state and bookkeeping. */
  readonly ignored: RegExp;
  /** Only for dialects whose models are on the hub. */
  readonly hub?: HubWords;
}

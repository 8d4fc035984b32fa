/**
 * The dialects that are known here. Adding one is a record in a file of its own and a name in this list; names, imports,
 * exports, the hub and the command line's help follow. `docs/weights.md` is the page for people.
 */
import { type Graph, parametersOf } from '../graph/graph.ts';
import { findNetwork, type NetworkOptions } from '../networks/networks.ts';
import { type TensorFile, WeightsError } from '../weights/tensor-file.ts';
import { cadene } from './cadene.ts';
import { type Dialect, type DialectNetwork, NamesError } from './dialect.ts';
import { facenet, tfFacenet } from './facenet.ts';
import { keras } from './keras.ts';
import { tfSlim } from './tf-slim.ts';
import { timm } from './timm.ts';
import { torchvision } from './torchvision.ts';

const records = [timm, torchvision, cadene, facenet, keras, tfSlim, tfFacenet] as const;

export type DialectName = (typeof records)[number]['name'];

export const dialects: readonly Dialect<DialectName>[] = records;
export const dialectNames: readonly DialectName[] = dialects.map(({ name }) => name);
/** Those whose exports come with a config.json. */
export const hubDialectNames: readonly DialectName[] = dialects.flatMap(({ name, hub }) =>
  hub ? [name] : [],
);
/** The ecosystems as people write them, each once. */
export const ecosystemTitles: readonly string[] = [...new Set(dialects.map(({ title }) => title))];

/** @throws NamesError listing the dialects. */
export function findDialect(name: string): Dialect<DialectName> {
  const dialect = dialects.find((each) => each.name === name);
  if (dialect) return dialect;
  throw new NamesError(`no dialect is called '${name}'; there are ${dialectNames.join(', ')}`);
}

/** A dialect's record of a network. @throws NamesError if it has no such network. */
export function networkOf({ name, networks }: Dialect, network: string): DialectNetwork {
  const record = Object.hasOwn(networks, network) ? networks[network] : undefined;
  if (record) return record;
  throw new NamesError(`${name} has no network like ${network}; it has ${Object.keys(networks).join(', ')}`);
}

/** What a dialect forces on a network. */
export const dialectOptions = ({ gamma, networks }: Dialect, network: string): NetworkOptions => ({
  ...(networks[network]?.countPadding && { countPadding: true }),
  ...(!gamma && { gamma: false }),
});

/** Our names to theirs, complete. @throws NamesError if the network or a parameter has no name there. */
export function namesIn(dialectName: DialectName, graph: Graph): ReadonlyMap<string, string> {
  const names = networkOf(findDialect(dialectName), graph.network.name).names(graph);
  const nameless = parametersOf(graph).filter(({ name }) => !names.has(name));
  if (nameless.length === 0) return names;
  throw new NamesError(
    `${dialectName} has no names for ${nameless.length} parameters of ${graph.network.name}: ${nameless.map(({ name }) => name).join(', ')}`,
  );
}

/** Stages of the other implementation by name, with our endpoints; only those that are a named part in both. */
export const stagesIn = (dialectName: DialectName, graph: Graph): ReadonlyMap<string, string> =>
  new Map(
    [...networkOf(findDialect(dialectName), graph.network.name).stages(graph)].map(([ours, theirs]) => [
      theirs,
      ours,
    ]),
  );

/** A file by a dialect's names. */
export interface RecognisedFile {
  readonly dialect: Dialect<DialectName>;
  readonly network: string;
  /** The dialect's of the network. */
  readonly record: DialectNetwork;
  /** The file's own name of every tensor, by the dialect's canonical one. */
  readonly names: ReadonlyMap<string, string>;
}

/** What a file of weights is, as far as it has not been said. @throws WeightsError saying what the file looks like instead. */
export function recognise(
  { tensors }: TensorFile,
  path: string,
  { from, network }: { readonly from?: DialectName | undefined; readonly network?: string | undefined },
): RecognisedFile {
  if (from !== undefined && network !== undefined) {
    const dialect = findDialect(from);
    const record = networkOf(dialect, findNetwork(network).name);
    return { dialect, network, record, names: canonicalNames(dialect, tensors.keys()) };
  }
  const candidates = recogniseNames(tensors.keys());
  const likeliest = candidates.find(
    (each) =>
      (from === undefined || each.dialect.name === from || each.dialect.family === from) &&
      (network === undefined || each.network === network),
  );
  if (likeliest) return likeliest;
  const asked = [from, network].filter(Boolean).join(' ');
  const expected = asked === '' ? 'those of any network that is known here' : `${asked}'s`;
  const looks = candidates.map((each) => `${each.dialect.name}'s ${each.network}`).join(' or ');
  const first = [...tensors.keys()].slice(0, 3).join(', ') || 'none';
  throw new WeightsError(
    `${path}: its ${tensors.size} tensors are not ${expected}${looks === '' ? '' : `; they look like ${looks}`}; the first are ${first}. --from and --network say what they are`,
  );
}

/** Which dialects and networks a file's names fit, the likeliest first: the one by most of its anchors. */
export function recogniseNames(fileNames: Iterable<string>): RecognisedFile[] {
  const present = [...fileNames];
  return dialects
    .flatMap((dialect) => {
      const names = canonicalNames(dialect, present);
      return Object.entries(dialect.networks)
        .filter(([, { anchors }]) => anchors.every((anchor) => names.has(anchor)))
        .map(([network, record]) => ({ dialect, network, record, names }))
        .slice(0, 1);
    })
    .sort((a, b) => b.record.anchors.length - a.record.anchors.length);
}

/** The file's own names by the dialect's canonical ones. */
function canonicalNames({ canonical }: Dialect, names: Iterable<string>): ReadonlyMap<string, string> {
  const pairs = canonical ? [...canonical(names)] : Array.from(names, (name) => [name, name] as const);
  return new Map(pairs.map(([own, theirs]) => [theirs, own]));
}

/**
 * The dialects that are known here. Adding one is a record in a file of its own and a name in this list; names, imports,
 * exports, the hub and the command line's help follow. `docs/weights.md` is the page for people.
 */
import { type Graph, parametersOf } from '../graph/graph.ts';
import type { NetworkOptions } from '../networks/networks.ts';
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
  const nameOf = networkOf(findDialect(dialectName), graph.network.name).names(graph);
  const names = new Map<string, string>();
  const nameless: string[] = [];
  for (const parameter of parametersOf(graph)) {
    const theirs = nameOf(parameter);
    if (theirs === undefined) nameless.push(parameter.name);
    else names.set(parameter.name, theirs);
  }
  if (nameless.length === 0) return names;
  throw new NamesError(
    `${dialectName} has no names for ${nameless.length} parameters of ${graph.network.name}: ${nameless.join(', ')}`,
  );
}

/** Stages of the other implementation by name, with our endpoints; only those that are a named part in both. */
export function stagesIn(dialectName: DialectName, graph: Graph): ReadonlyMap<string, string> {
  const nameOf = networkOf(findDialect(dialectName), graph.network.name).stages?.(graph);
  return new Map(
    [...graph.endpoints.keys()].flatMap((endpoint) => {
      const theirs = nameOf?.(endpoint);
      return theirs === undefined ? [] : [[theirs, endpoint] as const];
    }),
  );
}

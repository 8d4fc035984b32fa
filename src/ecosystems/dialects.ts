/**
 * The supported dialects. To add one, write its record in a file and list it here; names, imports, exports, the hub and the
 * command line's help follow. `docs/weights.md` documents them for users.
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
/** The dialects whose exports include a config.json. */
export const hubDialectNames: readonly DialectName[] = dialects.flatMap(({ name, hub }) =>
  hub ? [name] : [],
);
/** The titles of the ecosystems, without duplicates. */
export const ecosystemTitles: readonly string[] = [...new Set(dialects.map(({ title }) => title))];

/** @throws NamesError listing the dialects. */
export function findDialect(name: string): Dialect<DialectName> {
  const dialect = dialects.find((candidate) => candidate.name === name);
  if (dialect) return dialect;
  throw new NamesError(`no dialect is called '${name}'; there are ${dialectNames.join(', ')}`);
}

/** A dialect's record of a network. @throws NamesError if the dialect does not have it. */
export function networkOf({ name, networks }: Dialect, network: string): DialectNetwork {
  const record = Object.hasOwn(networks, network) ? networks[network] : undefined;
  if (record) return record;
  throw new NamesError(`${name} has no ${network}; it has ${Object.keys(networks).join(', ')}`);
}

/** The network options that a dialect requires. */
export const dialectOptions = ({ gamma, networks }: Dialect, network: string): NetworkOptions => ({
  ...(networks[network]?.countPadding && { countPadding: true }),
  ...(!gamma && { gamma: false }),
});

/** The dialect's name of every parameter of the graph. @throws NamesError if the network or a parameter has none. */
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

/** Endpoints of the graph by the dialect's module names; only those that are a named module in both. */
export function stagesIn(dialectName: DialectName, graph: Graph): ReadonlyMap<string, string> {
  const nameOf = networkOf(findDialect(dialectName), graph.network.name).stages?.(graph);
  return new Map(
    [...graph.endpoints.keys()].flatMap((endpoint) => {
      const theirs = nameOf?.(endpoint);
      return theirs === undefined ? [] : [[theirs, endpoint] as const];
    }),
  );
}

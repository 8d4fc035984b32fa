/** Identifies a file of weights: dialect and network by the tensors' names, with any prefix before all of them. */
import { buildGraph } from '../../graph/build-graph.ts';
import { parametersOf } from '../../graph/graph.ts';
import { configure, findNetwork } from '../../networks/networks.ts';
import { printable, quoted } from '../../printable.ts';
import { type TensorFile, WeightsError } from '../../weights/tensor-file.ts';
import type { Dialect, DialectNetwork } from '../dialect.ts';
import { type DialectName, dialects, findDialect, networkOf } from '../dialects.ts';
import { type Prefixed, withoutPrefix } from './prefix.ts';

/** A file identified as a network of a dialect. */
export interface RecognisedFile {
  readonly dialect: Dialect<DialectName>;
  readonly network: string;
  /** The dialect's record of the network. */
  readonly record: DialectNetwork;
  /** Tensor names in the file by the dialect's canonical names, without the prefix that they share. */
  readonly names: ReadonlyMap<string, string>;
  /** What all names of the network begin with in the file; empty for most. */
  readonly prefix: string;
  /** The same for tensors without the prefix, which are not the network's. */
  readonly outside: ReadonlyMap<string, string>;
  /** What was decided, a sentence each. */
  readonly decisions: readonly string[];
}

/** Identifies a file, unless `from` and `network` already do. @throws WeightsError saying what the file looks like instead. */
export function recognise(
  { tensors }: TensorFile,
  path: string,
  { from, network }: { readonly from?: DialectName | undefined; readonly network?: string | undefined },
): RecognisedFile {
  if (from !== undefined && network !== undefined) {
    const dialect = findDialect(from);
    const record = networkOf(dialect, findNetwork(network).name);
    return onlyOnce(
      recognised({ dialect, network, record }, withoutPrefix(fileNamesBy(dialect, tensors), record.anchors)),
      path,
    );
  }
  const candidates = recogniseNames(tensors);
  const likeliest = candidates.find(
    (file) =>
      (from === undefined || file.dialect.name === from || file.dialect.family === from) &&
      (network === undefined || file.network === network),
  );
  if (likeliest)
    return {
      ...onlyOnce(likeliest, path),
      decisions: [...likeliest.decisions, ...(from === undefined ? otherReadings(likeliest) : [])],
    };
  const request = [from, network].filter(Boolean).join(' ');
  const expected = request === '' ? 'any known network' : request;
  const looks = candidates.map((file) => `${file.dialect.name}'s ${file.network}`).join(' or ');
  const first =
    [...tensors.keys()]
      .slice(0, 3)
      .map((name) => printable(name, 200))
      .join(', ') || 'none';
  throw new WeightsError(
    `${path}: its ${tensors.size} tensors are not those of ${expected}${looks === '' ? '' : `; they look like ${looks}`}; the first are ${first}; use --from and --network to say what they are`,
  );
}

/** @throws WeightsError if the network is in the file under several prefixes, of which none is preferred. */
function onlyOnce(reading: Reading, path: string): Reading {
  const { dialect, network, prefix, alternatives } = reading;
  if (alternatives.length === 0) return reading;
  throw new WeightsError(
    `${path}: ${dialect.name}'s ${network} is in it several times, under ${[prefix, ...alternatives].map(quoted).join(', ')}; save the one that is meant`,
  );
}

/** Other dialects that name the same network in the same way, but prepare its images otherwise. */
function otherReadings({ dialect, network }: RecognisedFile): string[] {
  const graph = buildGraph(configure(findNetwork(network)));
  const namesOf = ({ networks }: Dialect) => {
    const nameOf = networks[network]?.names(graph);
    return nameOf && parametersOf(graph).map(nameOf).join();
  };
  const protocolOf = ({ preprocessing, networks }: Dialect) =>
    JSON.stringify({ ...preprocessing, ...networks[network]?.preprocessing });
  const others = dialects
    .filter((other) => namesOf(other) === namesOf(dialect) && protocolOf(other) !== protocolOf(dialect))
    .map(({ name }) => name);
  return others.length === 0
    ? []
    : [
        `taken for ${dialect.name}'s: the tensors' names are those of ${others.join(' and ')} too, which prepares images otherwise (--from ${others.join(', --from ')})`,
      ];
}

interface Reading extends RecognisedFile {
  /** Other prefixes under which the same network is in the file. */
  readonly alternatives: readonly string[];
}

function recognised(
  what: Pick<RecognisedFile, 'dialect' | 'network' | 'record'>,
  { names, prefix, outside, alternatives, averaged }: Prefixed,
): Reading {
  const chosen =
    averaged.length > 0
      ? `, the averaged weights, not ${averaged.map((other) => (other === '' ? 'those without' : quoted(other))).join(', ')}`
      : '';
  return {
    ...what,
    names,
    prefix,
    outside,
    alternatives,
    decisions: [...(prefix === '' ? [] : [`names without the prefix ${quoted(prefix)}${chosen}`])],
  };
}

/** The dialects and networks that a file's names match; the one with the most anchors first. */
export function recogniseNames(tensors: Shapes): Reading[] {
  return dialects
    .flatMap((dialect) => {
      const names = fileNamesBy(dialect, tensors);
      return Object.entries(dialect.networks)
        .flatMap(([network, record]) => {
          const prefixed = withoutPrefix(names, record.anchors);
          return prefixed.found ? [recognised({ dialect, network, record }, prefixed)] : [];
        })
        .slice(0, 1);
    })
    .sort((a, b) => b.record.anchors.length - a.record.anchors.length);
}

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** Tensor names in a file by the dialect's canonical names. */
function fileNamesBy({ canonical }: Dialect, tensors: Shapes): ReadonlyMap<string, string> {
  const pairs = canonical
    ? canonical(tensors)
    : new Map(Array.from(tensors.keys(), (name) => [name, name] as const));
  const names = new Map<string, string>();
  // The second of one name is reported as unexpected.
  for (const [fileName, name] of pairs) names.set(names.has(name) ? fileName : name, fileName);
  return names;
}

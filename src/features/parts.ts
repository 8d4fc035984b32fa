/** The parts of a network whose outputs serve as features of an image. */

import { UsageError } from '../errors.ts';
import type { Graph, Node } from '../graph/graph.ts';

/** A part whose output, averaged over its grid, is one vector for an image. */
export interface Part {
  /** `classifier` for the classifier's input, otherwise the name of the endpoint: `inceptionB`, `inceptionB/3`. */
  readonly name: string;
  /** A name in `graph.endpoints`. */
  readonly endpoint: string;
  /** Values for an image: the part's channels. */
  readonly length: number;
}

/** The name of the default part: what the classifier reads. */
export const classifierInput = 'classifier';

/** The node that the classifier and its hidden layers read; the last one of a network without a classifier. */
export const featuresId = (graph: Graph): number => graph.features;

/** @throws UsageError listing the parts for a name that is none. */
export function findPart(graph: Graph, name: string = classifierInput): Part {
  const endpoint = name === classifierInput ? endpointOf(graph, featuresId(graph)) : name;
  const id = endpoint === undefined ? undefined : graph.endpoints.get(endpoint);
  const node = id === undefined ? undefined : graph.nodes[id];
  if (endpoint === undefined || !node || node.head === 'auxiliary' || node.id > featuresId(graph))
    throw new UsageError(
      `features: ${graph.network.name} has no part '${name}' before its classifier; expected ${[classifierInput, ...topParts(graph)].join(', ')}, or a block as ${firstBlock(graph)}`,
    );
  return { name, endpoint, length: node.shape[2] };
}

/**
 * The parts that are worth a try: the classifier's input, then every part above it, last first. Parts that are the same after
 * averaging (`inceptionC`, and the pooling of it) are there once; the stem, which knows edges and colours, is left out.
 */
export function candidateParts(graph: Graph): readonly Part[] {
  const seen = new Set<number>();
  const names = [classifierInput, ...topParts(graph).slice(1).reverse()];
  return names
    .map((name) => findPart(graph, name))
    .filter(({ endpoint }) => {
      const source = beforeAveraging(graph, graph.endpoints.get(endpoint) as number);
      if (seen.has(source)) return false;
      seen.add(source);
      return true;
    });
}

/** Whether a part's average over the grid is what the classifier reads, as that of the last grid usually is. */
export const isClassifierInput = (graph: Graph, { endpoint }: Part): boolean =>
  beforeAveraging(graph, graph.endpoints.get(endpoint) as number) ===
  beforeAveraging(graph, featuresId(graph));

/** The parts on the first level of the network before the classifier, in its order. */
const topParts = (graph: Graph): readonly string[] =>
  [...graph.endpoints]
    .filter(([name, id]) => !name.includes('/') && id <= featuresId(graph) && isMain(graph, id))
    .map(([name]) => name);

const firstBlock = (graph: Graph): string =>
  [...graph.endpoints.keys()].find((name) => /^\w+\/\d+$/.test(name)) ?? 'inceptionB/3';

const isMain = (graph: Graph, id: number): boolean => graph.nodes[id]?.head === 'main';

const endpointOf = (graph: Graph, id: number): string | undefined =>
  [...graph.endpoints].find(([, each]) => each === id)?.[0];

/** The node whose average over the grid this node's is. */
function beforeAveraging(graph: Graph, id: number): number {
  const { op, inputs } = graph.nodes[id] as Node;
  return op === 'dropout' || op === 'globalAvgPool' ? beforeAveraging(graph, inputs[0] as number) : id;
}

/** Whether another implementation can load a model's weights, and computes the same with them. */
import { buildGraph } from '../../graph/build-graph.ts';
import { type Parameter, parametersOfHead } from '../../graph/graph.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { configure, findNetwork } from '../../networks/networks.ts';
import { NamesError } from '../dialect.ts';
import { type DialectName, dialectOptions, findDialect, namesIn } from '../dialects.ts';
import { differencesIn } from './export-weights.ts';

type Described = Pick<ModelFile, 'graph' | 'description' | 'source'>;

/** Why a dialect's own network does not take the weights, in one sentence; undefined if it does. */
export function misfit({ graph, description }: Described, to: DialectName): string | undefined {
  const { network } = description;
  try {
    namesIn(to, graph);
  } catch (error) {
    if (!(error instanceof NamesError)) throw error;
    return error.message;
  }
  const dialect = findDialect(to);
  const theirs = configure(findNetwork(network), {
    ...dialectOptions(dialect, network),
    gamma: graph.network.gamma,
    classes: graph.network.classes,
    inputSize: [graph.network.input[0], graph.network.input[1]],
  });
  const shapeOf = ({ name, shape }: Parameter) => `${name} [${shape.join(', ')}]`;
  const expected = new Set(parametersOfHead(buildGraph(theirs), 'main').map(shapeOf));
  const own = parametersOfHead(graph, 'main').map(shapeOf);
  const other = own.find((parameter) => !expected.has(parameter));
  if (other === undefined && own.length === expected.size) return undefined;
  return `${dialect.name}'s ${network} has other parameters (here ${other ?? `there are ${own.length} instead of ${expected.size}`}): it cannot load these weights`;
}

/** How the dialect's results will differ with the same weights and images, as sentences. */
export function differencesWith(model: Described, to: DialectName): string[] {
  const dialect = findDialect(to);
  const departure = dialect.hub?.departsFrom(model.description.preprocessing);
  return [
    ...differencesIn(model, dialect),
    ...(departure === undefined ? [] : [`${model.source}: ${departure}: results will differ`]),
  ];
}

/** Whose files stand beside a model's card, if not this package's; undefined for a dialect that is not on the hub. */
export function cardLibrary(to: DialectName) {
  const { name, hub } = findDialect(to);
  return hub && { name, usage: hub.usage };
}

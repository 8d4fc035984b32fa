/** A model without gammas that computes the same: γ·(Wx − μ)/σ + β = ((γW)x − γμ)/σ + β. */
import { type Graph, type Parameter, parametersOf } from '../../graph/graph.ts';
import { layerOf } from '../../graph/layer-names.ts';
import { graphOf } from '../../model/description.ts';
import type { ModelFile } from '../../model/model-file.ts';
import { WeightsError } from '../../weights/tensor-file.ts';

export const gammasOf = (graph: Graph): readonly Parameter[] =>
  parametersOf(graph).filter(({ role }) => role === 'gamma');

const scaled: ReadonlySet<Parameter['role']> = new Set([
  'convWeight',
  'linearWeight',
  'residualWeight',
  'movingMean',
]);

/** The same function as a model without gammas; `folded` are the parameters that are multiplied. */
export function foldGammas(
  model: ModelFile,
): Pick<ModelFile, 'graph' | 'read'> & { readonly folded: ReadonlyMap<string, Parameter> } {
  const { description } = model;
  const graph = graphOf({ ...description, options: { ...description.options, gamma: false } });
  const gammas = new Map(gammasOf(model.graph).map((gamma) => [layerOf(gamma.name), gamma]));
  const folded = new Map<string, Parameter>();
  for (const { name, role } of parametersOf(graph)) {
    const gamma = gammas.get(layerOf(name));
    if (gamma && scaled.has(role)) folded.set(name, gamma);
  }
  const left = [...gammas.keys()].filter((layer) => !folded.has(`${layer}/weight`));
  if (left.length > 0)
    throw new WeightsError(
      `${model.source}: ${left.length} gammas have no convolution before them that they could be folded into: ${left.slice(0, 3).join(', ')}`,
    );
  return {
    graph,
    folded,
    async read(parameter) {
      const values = await model.read(parameter);
      const gamma = folded.get(parameter.name);
      if (!gamma) return values;
      const factors = await model.read(gamma);
      const perOutput = values.length / factors.length;
      return values.map((value, index) => value * (factors[Math.floor(index / perOutput)] as number));
    },
  };
}

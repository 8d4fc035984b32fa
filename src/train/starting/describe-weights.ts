/** What a training took over from its weights and what is new, in lines for the user. Pure. */
import {
  classifierParameters,
  elementCount,
  type Graph,
  isStatistic,
  parametersOf,
  parametersOfHead,
} from '../../graph/graph.ts';
import { frozenNames, layerRates } from '../../graph/parts.ts';
import { firstOf } from '../../printable.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { hiddenParameters } from './kept-classes.ts';
import { hasNewHidden, type WeightsRecord } from './start-from.ts';

const auxiliaryLines: { readonly [K in WeightsRecord['auxiliary']]: readonly string[] } = {
  kept: ['auxiliary classifier: kept, but for its classes'],
  new: ['auxiliary classifier: new, the weights have none'],
  dropped: ['auxiliary classifier: left out (--auxiliary keeps it)'],
  none: [],
};

export function describeWeights(weights: WeightsRecord, graph: Graph): string[] {
  const { source, sha256, auxiliary, changed } = weights;
  return [
    `weights: ${source}, ${keptParameters(weights, graph).toLocaleString('en-US')} parameters and all moving statistics kept (sha256 ${sha256.slice(0, 12)})`,
    classifierLine(weights),
    ...auxiliaryLines[auxiliary],
    ...changed,
  ];
}

function classifierLine({ kept, reinitialised }: WeightsRecord): string {
  const total = kept.length + reinitialised.length;
  if (kept.length === 0) return `classifier: new, for ${total} classes`;
  if (reinitialised.length === 0) return `classifier: kept, all ${total} classes are those of the weights`;
  return `classifier: rows of ${kept.length} classes kept, which have the same label (${firstOf(kept)}); ${reinitialised.length} new (${firstOf(reinitialised)})`;
}

function keptParameters(weights: WeightsRecord, graph: Graph): number {
  const { kept, reinitialised, auxiliary } = weights;
  const made = new Set(hasNewHidden(weights) ? hiddenParameters(graph) : []);
  const classifier = new Set(classifierParameters(graph).map(({ name }) => name));
  const share = kept.length / (kept.length + reinitialised.length);
  const taken = auxiliary === 'new' ? parametersOfHead(graph, 'main') : parametersOf(graph);
  return taken
    .filter((parameter) => !isStatistic(parameter) && !made.has(parameter))
    .reduce((sum, { name, shape }) => sum + elementCount(shape) * (classifier.has(name) ? share : 1), 0);
}

/** What stays as it is, and which parts learn more slowly. */
export function describeRates(
  { freeze, layerDecay, learningRate }: Pick<Recipe, 'freeze' | 'layerDecay' | 'learningRate'>,
  graph: Graph,
): string[] {
  const [frozen, trainable] = [frozenNames(graph), parametersOf(graph).filter((one) => !isStatistic(one))];
  const sizeOf = (parameters: typeof trainable) =>
    parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0).toLocaleString('en-US');
  const lines: string[] = [];
  if (freeze !== null)
    lines.push(
      `frozen up to ${freeze}: ${sizeOf(trainable.filter(({ name }) => frozen.has(name)))} of ${sizeOf(trainable)} parameters, and the moving statistics there`,
    );
  if (layerDecay !== null) {
    const slowest = learningRate * Math.min(...layerRates(graph, { decay: layerDecay }).values());
    lines.push(
      `learning rates: ${+learningRate.toPrecision(3)} at the classifier, ${layerDecay} of it for each part before, ${+slowest.toPrecision(3)} at the first that is trained`,
    );
  }
  return lines;
}

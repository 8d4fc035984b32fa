/** The losses of a training step, and what is reported with them. */
import type { Node } from '../../graph/graph.ts';
import type { Emitter } from '../emitter.ts';
import { endpointIds } from '../endpoints.ts';
import type { TrainingOptions } from '../options.ts';
import type { Value } from '../program.ts';
import type { Lowered, Lowering } from '../rules/rule.ts';
import { crossEntropy, type Labels } from './loss.ts';

/**
 * Emits the loss and what is reported with it. Returns the gradients that the backward pass starts from, by node id.
 * @param report called with the name and the value of each result.
 */
export function lowerLoss(
  lowering: Lowering,
  lowered: readonly Lowered[],
  { options, report }: { options: TrainingOptions; report: (name: string, value: Value) => void },
): Map<number, Value> {
  const { emitter, graph, batch, precision } = lowering;
  const resultOf = (id: number): Value => (lowered[id] as Lowered).value;
  emitter.layer = 'loss';
  if (options.projectEndpoint !== undefined) {
    const [id] = [...endpointIds(graph, [options.projectEndpoint]).values()] as [number];
    const [height, width, channels] = (graph.nodes[id] as Node).shape;
    const projection = emitter.input('projection', 'float32', [batch, channels, height, width]);
    const gradient = emitter.call('aten::_to_copy', [projection], {
      dtype: { dtype: precision },
      memory_format: { memoryFormat: 'channelsLast' },
    });
    const products = emitter.call('aten::mul.Tensor', [resultOf(id), gradient]);
    report('loss', emitter.call('aten::sum', [products], { dtype: { dtype: 'float32' } }));
    return new Map([[id, gradient]]);
  }
  const { classes } = graph.network;
  const { labelSmoothing } = options;
  const labels = labelsOf(emitter, options, classes);
  const seeds = new Map<number, Value>();
  const logits = resultOf(graph.logits);
  const main = crossEntropy(emitter, { logits, labels }, { batch, classes, labelSmoothing, weight: 1 });
  seeds.set(graph.logits, main.gradient);
  report('loss', main.loss);
  const predictions = emitter.call('aten::argmax', [logits, 1, false]);
  const errors = emitter.call('aten::ne.Tensor', [predictions, labels.labels]);
  report('wrong', emitter.call('aten::sum', [errors]));
  const features = graph.nodes.findLast((node) => node.op === 'globalAvgPool' && node.head === 'main');
  if (features) {
    const zeros = emitter.call('aten::eq.Scalar', [resultOf(features.id), 0]);
    report('zeroShare', emitter.call('aten::mean', [zeros], { dtype: { dtype: 'float32' } }));
  }
  if (graph.auxiliaryLogits !== undefined) {
    const weight = options.auxiliaryLossWeight;
    const logits = resultOf(graph.auxiliaryLogits);
    const auxiliary = crossEntropy(emitter, { logits, labels }, { batch, classes, labelSmoothing, weight });
    seeds.set(graph.auxiliaryLogits, auxiliary.gradient);
    report('auxiliaryLoss', auxiliary.loss);
  }
  return seeds;
}

/** The inputs that say what the images are. */
const labelsOf = (
  emitter: Emitter,
  { batch, mixedLabels = false, classWeights = false }: TrainingOptions,
  classes: number,
): Labels => ({
  labels: emitter.input('labels', 'int64', [batch]),
  mixed: mixedLabels
    ? {
        otherLabels: emitter.input('otherLabels', 'int64', [batch]),
        labelShare: emitter.input('labelShare', 'float32', [batch, 1]),
      }
    : undefined,
  classWeights: classWeights ? emitter.input('classWeights', 'float32', [classes]) : undefined,
});

/** Our own kernels for inference alone, over those that training has too: convolutions by weights that are packed once. */
import type { NodeOf } from '../../graph/graph.ts';
import { type Overlay, parameterOf, type Result } from './rule.ts';

/** Whether a convolution is computed from packed weights. */
export const isPacked = ({ attributes: { bias, groups } }: NodeOf<'conv'>): boolean => bias && groups === 1;

/** What packing has to know of a convolution besides its weight and the sizes of its input. */
export const packingOf = ({ attributes, inputs }: NodeOf<'conv'>) => {
  const { stride, padding, relu = false } = attributes;
  return [[stride, stride], padding, inputs.length > 1, relu] as const;
};

export const nativeInference: Overlay<Result> = {
  conv: (node, [input, sum], lowering) => {
    if (!isPacked(node)) return undefined;
    const { stride, padding, relu = false } = node.attributes;
    const parameters = [parameterOf(node, 'weight', lowering), parameterOf(node, 'bias', lowering)] as const;
    const args = [input, ...parameters, sum ?? null, [stride, stride], padding, relu];
    return { value: lowering.emitter.call('inception::convolution_packed', args) };
  },
};

/** Native kernels for inference only, over those shared with training: convolutions with prepacked weights. */
import type { NodeOf } from '../../graph/graph.ts';
import { type Overlay, parameterOf, type Result } from './rule.ts';

/** Whether a convolution uses packed weights. */
export const isPacked = ({ attributes: { bias, groups } }: NodeOf<'conv'>): boolean => bias && groups === 1;

/** What packing needs to know about a convolution besides its weight and input sizes. */
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

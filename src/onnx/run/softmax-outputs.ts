/** Which values of a graph are probabilities: TensorFlow's and Keras's classifiers end in a softmax, PyTorch's in logits. Pure. */
import type { ShapedGraph } from '../shapes/value.ts';

/** They move values, or round them. */
const keeping: ReadonlySet<string> = new Set(['Cast', 'Flatten', 'Identity', 'Reshape', 'Squeeze']);

export function softmaxOutputs({ nodes }: Pick<ShapedGraph, 'nodes'>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { op, inputs, outputs } of nodes) {
    const isOne = op === 'Softmax' || (keeping.has(op) && found.has(inputs[0] as string));
    if (isOne) for (const name of outputs) found.add(name);
  }
  return found;
}

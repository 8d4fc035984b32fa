/** Weights and biases of convolutions including everything folded into them, computed once in double precision. */
import type { NodeOf, Parameter } from '../../graph/graph.ts';

export type ReadParameter = (parameter: Parameter) => Promise<Float32Array>;

export interface ConvolutionWeights {
  /** [out, in, h, w] */
  readonly weight: Float32Array;
  readonly bias: Float32Array | undefined;
}

/** The convolution's values; merged siblings are concatenated. */
export async function convolutionWeights(
  node: NodeOf<'conv'>,
  read: ReadParameter,
): Promise<ConvolutionWeights> {
  const { folded, bias: hasBias } = node.attributes;
  const { scale = 1, batchNorm } = folded ?? {};
  const weights: Float32Array[] = [];
  const biases: Float32Array[] = [];
  for (const [index, member] of node.parameters.members.entries()) {
    const weight = Float32Array.from(await read(member.weight as Parameter));
    const filters = (member.weight as Parameter).shape[0] as number;
    const filterLength = weight.length / filters;
    const norm = batchNorm?.parameters.members[index];
    let factor: (filter: number) => number = () => scale;
    let bias: ArrayLike<number> | undefined;
    if (norm && batchNorm) {
      const part = (name: keyof typeof norm) => read(norm[name] as Parameter);
      const [beta, mean, variance] = [
        await part('beta'),
        await part('movingMean'),
        await part('movingVariance'),
      ];
      const gamma = norm.gamma ? await part('gamma') : undefined;
      factor = (filter) =>
        (scale * (gamma?.[filter] ?? 1)) / Math.sqrt((variance[filter] as number) + batchNorm.epsilon);
      bias = Array.from(beta, (value, filter) => scale * value - (mean[filter] as number) * factor(filter));
    } else if (hasBias) {
      bias = Array.from(await read(member.bias as Parameter), (value) => value * scale);
    }
    for (let filter = 0; filter < filters; filter++) {
      const multiplier = factor(filter);
      if (multiplier === 1) continue;
      for (let index = filter * filterLength; index < (filter + 1) * filterLength; index++)
        weight[index] = (weight[index] as number) * multiplier;
    }
    weights.push(weight);
    if (bias) biases.push(Float32Array.from(bias));
  }
  return { weight: joined(weights), bias: biases.length > 0 ? joined(biases) : undefined };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0] as Float32Array;
  const result = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

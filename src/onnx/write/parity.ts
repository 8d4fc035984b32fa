/** Compares the outputs of a file with those of another engine for the same model and images. */
import { DeployError } from '../deploy-error.ts';
import { probabilitiesOf } from '../run/image-tensors.ts';

/** How near a file's outputs are to another engine's. */
export interface Parity {
  /** The reference: `libtorch 1.13.1`. */
  readonly reference: string;
  readonly images: number;
  /** Largest difference of a single output. */
  readonly largestDifference: number;
  /** Norm of all differences divided by the norm of the reference. */
  readonly relativeDifference: number;
  /** The tolerance. */
  readonly within: number;
  /** Images with the same most probable class. */
  readonly sameTop1: number;
}

/** Another engine with the same model: bytes [n, h, w, c] to logits, or features, [n, outputs]. */
export interface ParityReference {
  readonly name: string;
  outputs(images: Uint8Array): Promise<Float32Array>;
}

/** Allowed relative difference for each precision; measured ones are at most a tenth of it. */
export const parityTolerance = { float32: 1e-4, float16: 3e-2, int8: 0.3 } as const;

/**
 * Compares outputs for the same images.
 * @throws DeployError with the numbers, if the file's differ by more than `within`.
 */
export async function checkParity(
  images: Uint8Array,
  {
    file,
    reference,
    softmax,
    count,
    within,
  }: {
    file: { readonly path: string; outputs(images: Uint8Array): Promise<Float32Array> };
    reference: ParityReference;
    /** Whether the file gives probabilities. */
    softmax: boolean;
    count: number;
    within: number;
  },
): Promise<Parity> {
  const received = await file.outputs(images);
  const raw = await reference.outputs(images);
  const outputs = raw.length / count;
  const expected = softmax ? probabilitiesOf(raw, outputs) : raw;
  if (received.length !== expected.length)
    throw new DeployError(`${file.path}: expected ${expected.length} outputs, received ${received.length}`);
  let [largestDifference, squares, norm, same] = [0, 0, 0, 0];
  for (const [index, value] of expected.entries()) {
    const difference = Math.abs((received[index] as number) - value);
    largestDifference = Number.isNaN(difference) ? Number.NaN : Math.max(largestDifference, difference);
    squares += difference ** 2;
    norm += value ** 2;
  }
  for (let row = 0; row < expected.length; row += outputs)
    if (argmax(received.subarray(row, row + outputs)) === argmax(expected.subarray(row, row + outputs)))
      same++;
  const relativeDifference = Math.sqrt(squares / norm);
  const parity = {
    reference: reference.name,
    images: count,
    largestDifference,
    relativeDifference,
    within,
    sameTop1: same,
  };
  // Not written as `>`, which a NaN would pass.
  if (!(relativeDifference <= within)) {
    throw new DeployError(
      `${file.path}: ONNX Runtime's outputs differ from ${reference.name}'s by ${relativeDifference.toExponential(1)} of their norm (expected at most ${within}), the largest by ${largestDifference.toExponential(1)}; the file was removed`,
    );
  }
  return parity;
}

const argmax = (values: Float32Array): number => values.indexOf(Math.max(...values));

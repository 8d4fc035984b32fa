/** Opens a validated model with ONNX Runtime in Node.js. */
import { loadRuntime, openSession, type SessionOptions } from './runtime.ts';
import {
  type OnnxPredictor,
  type OnnxSession,
  predictorOf,
  type SessionPredictorOptions,
} from './session-predictor.ts';

export type { OnnxPredictor } from './session-predictor.ts';

export interface PredictorOptions extends SessionOptions, SessionPredictorOptions {}

/** @throws DeployError if it does not take images and give scores, and, at each call, if ONNX Runtime fails or the scores are no numbers */
export async function openOnnxPredictor(
  model: Uint8Array,
  options: PredictorOptions,
): Promise<OnnxPredictor> {
  const session = await openSession(model, options);
  const { Tensor } = await loadRuntime();
  try {
    return predictorOf({ session, Tensor: Tensor as unknown as OnnxSession['Tensor'] }, options);
  } catch (error) {
    await session.release();
    throw error;
  }
}

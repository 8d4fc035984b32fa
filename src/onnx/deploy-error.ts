import { InceptionError } from '../errors.ts';

/** A model that cannot be written as ONNX, is refused, or gives other numbers than it should. */
export class DeployError extends InceptionError {
  override name = 'DeployError';
}

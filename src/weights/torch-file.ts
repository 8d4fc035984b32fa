// STUB
import { type TensorFile, WeightsError } from './tensor-file.ts';
export async function openTorchFile(path: string): Promise<TensorFile> {
  throw new WeightsError(`${path}: stub`);
}

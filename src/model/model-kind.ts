/** The kind of a MODEL argument, from its name alone. */

/** `hub:owner/name`, an ONNX file, or weights: a run folder, a model file of this project, or weights of another ecosystem. */
export type ModelKind = 'hub' | 'onnx' | 'weights';

/** Whether a file's name ends in `.onnx`, in any case. */
export const isOnnxFile = (name: string): boolean => /\.onnx$/i.test(name);

export function modelKind(model: string): ModelKind {
  if (model.startsWith('hub:')) return 'hub';
  return isOnnxFile(model) ? 'onnx' : 'weights';
}

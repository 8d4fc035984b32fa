/** The kind of a MODEL argument, from its name alone. */

/** `hub:owner/name`, an ONNX file, or weights: a run folder, a model file of this project, or weights of another ecosystem. */
export type ModelKind = 'hub' | 'onnx' | 'weights';

export function modelKind(model: string): ModelKind {
  if (model.startsWith('hub:')) return 'hub';
  return model.endsWith('.onnx') ? 'onnx' : 'weights';
}

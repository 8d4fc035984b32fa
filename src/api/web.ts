/**
 * `inception-networks/web`: classify in a page, with ONNX Runtime's WebAssembly; networks, preprocessing. Needs no Node.js; a bundler takes
 * it for `inception-networks` too.
 */
export type { Classification, Classifications } from '../classifier/classification.ts';
export type { ModelOverrides } from '../classifier/predicting-model.ts';
export {
  loadClassifier,
  type WebClassifier,
  type WebClassifierOptions,
  type WebImageSource,
  type WebModelSource,
  type WebRuntime,
} from '../classifier/web/load-classifier.ts';
export { DataError } from '../data/data-error.ts';
export { type CropCount, describeViews, type View, type Views, viewsOf } from '../images/crops.ts';
export { type Image, resample } from '../images/image.ts';
export {
  describeProtocol,
  type Preprocessing,
  type PreprocessingPreset,
  preprocess,
  preprocessingPresets,
  standardPreprocessing,
} from '../images/preprocess.ts';
export { type ResamplingKernel, resamplingKernels, resize } from '../images/resize.ts';
export { type ModelDescription, ModelError } from '../model/description.ts';
export { DeployError } from '../onnx/deploy-error.ts';
export { topClasses } from '../predict/top-classes.ts';
export * from './networks.ts';

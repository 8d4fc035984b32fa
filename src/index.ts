/** The public API, name by name. */

export { compileInference } from './compile/compile-inference.ts';
export { compileTraining } from './compile/compile-training.ts';
export { CompileError } from './compile/endpoints.ts';
export { mergeStores } from './compile/merge-stores.ts';
export type {
  CompiledInference,
  CompiledTraining,
  InferenceOptions,
  Precision,
  TrainingOptions,
} from './compile/options.ts';
export {
  checkProgram,
  type Program,
  ProgramError,
  printProgram,
  type Step,
  type StoreSpec,
} from './compile/program.ts';
export { trainingBatches } from './data/batches.ts';
export { type CropCount, describeViews, type View, type Views, viewsOf } from './data/crops.ts';
export type { Dataset, Split } from './data/dataset.ts';
export { decodePicture } from './data/decode.ts';
export { type Distortion, distort } from './data/distort.ts';
export { DataError } from './data/idx.ts';
export { openData, take } from './data/open-data.ts';
export { type Picture, resample } from './data/picture.ts';
export {
  describeProtocol,
  type Preprocessing,
  preprocess,
  standardPreprocessing,
  type UsualPreprocessing,
  usualPreprocessings,
} from './data/preprocess.ts';
export { type Kernel, kernels, resize } from './data/resize.ts';
export {
  type Classification,
  type Classifier,
  type ClassifierOptions,
  type ClassifyOptions,
  type ImageSource,
  loadClassifier,
} from './deploy/classifier.ts';
export { DeployError } from './deploy/deploy-error.ts';
export {
  type Calibration,
  type ExportOnnxOptions,
  exportOnnx,
  type OnnxPrecision,
  type OnnxReport,
} from './deploy/export-onnx.ts';
export {
  type Engine,
  EngineError,
  type HostArray,
  type HostTensor,
  type LoadedProgram,
  type Store,
} from './engine/engine.ts';
export { openTorch, type TorchOptions } from './engine/torch.ts';
export { type PredictedPicture, type PredictOptions, predictPictures } from './evaluate/predict.ts';
export {
  type Member,
  type Prediction,
  type Predictor,
  predictions,
  type Score,
  score,
  scoreOf,
  topClasses,
} from './evaluate/score.ts';
export { buildGraph, GraphError, smallestInput } from './graph/build-graph.ts';
export { type Costs, costsOf, summariseLayers, summariseParts } from './graph/costs.ts';
export { drawDiagram } from './graph/diagram.ts';
export { type Graph, type Node, type Parameter, parametersOf } from './graph/graph.ts';
export { type ModelDescription, ModelError } from './model/description.ts';
export { type ExportReport, exportWeights, writeModel } from './model/export-weights.ts';
export { importWeights } from './model/import-model.ts';
export { type ImportOptions, type ImportPlan, planImport } from './model/import-weights.ts';
export {
  type FeatureOptions,
  type LoadedModel,
  type LoadModelOptions,
  loadModel,
} from './model/load-model.ts';
export { type OpenedModel, openModel } from './model/open-model.ts';
export {
  configure,
  findNetwork,
  NetworkOptionError,
  type NetworkOptions,
  networks,
} from './networks/networks.ts';
export type { Network } from './networks/notation.ts';
export { type Configuration, RunError } from './train/configuration.ts';

export { type Recipe, RecipeError, type RecipeOverrides, resolveRecipe } from './train/recipe.ts';
export { RunFolder } from './train/run-folder.ts';
export { TrainingError, type TrainOptions, type TrainResult, train } from './train/train.ts';
export { namesIn } from './weights/dialects.ts';
export { NamesError } from './weights/names.ts';
export { openWeights } from './weights/open-weights.ts';
export { openSafetensors, SafetensorsError, writeSafetensors } from './weights/safetensors.ts';
export { type NamedTensor, type TensorFile, WeightsError } from './weights/tensor-file.ts';

/** The public API, name by name. */

export {
  type Classification,
  type Classifier,
  type ClassifierOptions,
  type ClassifyOptions,
  type ImageSource,
  loadClassifier,
} from './classifier/classifier.ts';
export { CompileError } from './compile/compile-error.ts';
export { compileInference } from './compile/compile-inference.ts';
export { compileTraining } from './compile/compile-training.ts';
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
export { DataError } from './data/data-error.ts';
export type { Dataset, Split } from './data/dataset.ts';
export { decodeImage } from './data/decode.ts';
export { openData, subset as take } from './data/open-data.ts';
export { drawDiagram } from './diagram/diagram.ts';
export { NamesError } from './ecosystems/dialect.ts';
export { namesIn } from './ecosystems/dialects.ts';
export { type ExportReport, exportWeights } from './ecosystems/export-weights.ts';
export { importWeights } from './ecosystems/import/import-weights.ts';
export { type ImportOptions, type ImportPlan, planImport } from './ecosystems/import/plan-import.ts';
export {
  type Engine,
  EngineError,
  type HostArray,
  type HostTensor,
  type LoadedProgram,
  type Store,
} from './engine/engine.ts';
export { openTorch, type TorchOptions } from './engine/torch.ts';
export { InceptionError, UsageError } from './errors.ts';
export { ClassesError } from './evaluate/match-classes.ts';
export { PredictionsError } from './evaluate/predictions-file.ts';
export { type Prediction, predictions, type Score, score, scoreOf } from './evaluate/score.ts';
export { buildGraph, GraphError, smallestInput } from './graph/build-graph.ts';
export { type Costs, costsOf, summariseLayers, summariseParts } from './graph/costs.ts';
export { type Graph, type Node, type Parameter, parametersOf } from './graph/graph.ts';
export { HubError } from './hub/settings.ts';
export { type Augmentation as Distortion, augment as distort } from './images/augment.ts';
export { type CropCount, describeViews, type View, type Views, viewsOf } from './images/crops.ts';
export { type Image, resample } from './images/image.ts';
export {
  describeProtocol,
  type Preprocessing,
  type PreprocessingPreset as UsualPreprocessing,
  preprocess,
  preprocessingPresets as usualPreprocessings,
  standardPreprocessing,
} from './images/preprocess.ts';
export { type Kernel, kernels, resize } from './images/resize.ts';
export { type ModelDescription, ModelError } from './model/description.ts';
export type { ModelFile } from './model/model-file.ts';
export { writeModel } from './model/write-model.ts';
export { NetworkError } from './networks/check-network.ts';
export {
  configure,
  findNetwork,
  knownNetworks,
  NetworkOptionError,
  type NetworkOptions,
  networks,
  registerNetwork,
} from './networks/networks.ts';
export {
  type Auxiliary,
  avgPool,
  type Branch,
  type ConvMarks,
  type ConvOptions,
  conv,
  depthwise,
  dropout,
  embedding,
  filterConcat,
  fullyConnected,
  globalAvgPool,
  type Layer,
  type Layers,
  linearSum,
  type Marks,
  maxPool,
  type Network,
  relu,
  repeat,
  residual,
  type Stage,
  sequence,
  sum,
  type Window,
} from './networks/notation.ts';
export { DeployError } from './onnx/deploy-error.ts';
export {
  type Calibration,
  type ExportOnnxOptions,
  exportOnnx,
  type OnnxPrecision,
  type OnnxReport,
} from './onnx/write/export-onnx.ts';
export {
  type FeatureOptions,
  type LoadedModel,
  type LoadModelOptions,
  loadModel,
} from './predict/load-model.ts';
export { openModel } from './predict/open-model.ts';
export {
  type Member,
  type PredictedImage,
  type PredictOptions,
  type Predictor,
  predictImages,
} from './predict/predict-images.ts';
export { topClasses } from './predict/top-classes.ts';
export { type Configuration, RunError } from './train/configuration.ts';
export { type Recipe, RecipeError, type RecipeOverrides, resolveRecipe } from './train/recipe.ts';
export { RunFolder } from './train/run-folder.ts';
export {
  type ResumeOptions,
  type Run,
  type TrainEvent,
  type TrainOptions,
  train,
} from './train/start-run.ts';
export { TrainingError, type TrainResult } from './train/train.ts';
export { openWeights } from './weights/open-weights.ts';
export { openSafetensors, SafetensorsError, writeSafetensors } from './weights/safetensors/safetensors.ts';
export { type NamedTensor, type TensorFile, WeightsError } from './weights/tensor-file.ts';

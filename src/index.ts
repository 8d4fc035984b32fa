/** `inception-networks`: classify, train, models; heavy parts are loaded when they are first used. */

export * from './api/networks.ts';
export type { Classification, Classifications } from './classifier/classification.ts';
export {
  type Classifier,
  type ClassifierOptions,
  type ClassifyOptions,
  type ImageSource,
  loadClassifier,
} from './classifier/classifier.ts';
export type { PredictedFiles, PredictFilesOptions } from './classifier/files/predict-files.ts';
export type { ImagePredictor, ModelOverrides } from './classifier/predicting-model.ts';
export type { Runtime, RuntimeName, RuntimeOptions } from './classifier/runtime.ts';
export type { Precision } from './compile/options.ts';
export { trainingBatches } from './data/batches.ts';
export { DataError } from './data/data-error.ts';
export type { Dataset, Split } from './data/dataset.ts';
export { decodeImage, encodePng } from './data/decode.ts';
export { openData } from './data/open-data.ts';
export { subset } from './data/selection.ts';
export {
  openSplits,
  type SplitOptions,
  type Splits,
  type ValidationSource,
} from './data/splits/open-splits.ts';
export { NamesError } from './ecosystems/dialect.ts';
export { namesIn } from './ecosystems/dialects.ts';
export { type ExportReport, exportWeights } from './ecosystems/export/export-weights.ts';
export { importWeights } from './ecosystems/import/import-weights.ts';
export { type ImportOptions, type ImportPlan, planImport } from './ecosystems/import/plan-import.ts';
export {
  type EmbeddedImages,
  type Embedder,
  type EmbedderOptions,
  type EmbeddingOptions,
  loadEmbedder,
  type SimilarImage,
  type SimilarOptions,
} from './embedder/embedder.ts';
export { type Engine, EngineError, type EngineFacts, EngineUnavailableError } from './engine/engine.ts';
export { openTorch, type TorchOptions } from './engine/torch.ts';
export type { ClassScore, ClassScores, ConfusedPair } from './evaluate/class-scores.ts';
export { ClassesError } from './evaluate/match-classes.ts';
export { PredictionsError } from './evaluate/predictions-error.ts';
export { type Prediction, predictions, type Score, score, scoreOf } from './evaluate/score.ts';
export { describeExplanation, drawExplanation } from './explain/draw-explanation.ts';
export {
  type ExplainOptions,
  type Explanation,
  type ExplanationMethod,
  explain,
} from './explain/explain.ts';
export { HubError } from './hub/settings.ts';
export { augment } from './images/augment.ts';
export type { Augmentation } from './images/augmentation.ts';
export { type CropCount, describeViews, type View, type Views, viewsOf } from './images/crops.ts';
export { type Image, resample } from './images/image.ts';
export {
  describeProtocol,
  type Preprocessing,
  type PreprocessingPreset,
  preprocess,
  preprocessingPresets,
  standardPreprocessing,
} from './images/preprocess.ts';
export { type ResamplingKernel, resamplingKernels, resize } from './images/resize.ts';
export { type ModelDescription, ModelError } from './model/description.ts';
export type { ModelFile, Notices } from './model/model-file.ts';
export { writeModel } from './model/write-model.ts';
export { DeployError } from './onnx/deploy-error.ts';
export {
  type FeatureOptions,
  type GradientOptions,
  type LoadedModel,
  type LoadModelOptions,
  type LogitGradient,
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
export { type PushedModel, type PushForm, type PushModelOptions, pushModel } from './publish/push-model.ts';
export { type Configuration, RunError } from './train/configuration/configuration.ts';
export type { NewRun } from './train/configuration/create-configuration.ts';
export { findLearningRate } from './train/find-learning-rate.ts';
export type { ProbeOptions, ProbeResult } from './train/probe/run-probe.ts';
export { probe } from './train/probe/start-probe.ts';
export { type Recipe, RecipeError, type RecipeOverrides, resolveRecipe } from './train/recipe/recipe.ts';
export type { EvaluationMetrics, Metrics, StepMetrics, TestMetrics } from './train/run/records.ts';
export { RunFolder } from './train/run/run-folder.ts';
export type { Progress, TrainResult } from './train/run-loop.ts';
export { type Run, train } from './train/start-run.ts';
export type { ResumeOptions, TrainEvent, TrainOptions } from './train/train-options.ts';
export { TrainingError } from './train/training-error.ts';
export type { LearningRateSweep, SweepHooks } from './train/trial/sweep.ts';
export { openWeights } from './weights/open-weights.ts';
export { SafetensorsError } from './weights/safetensors/header.ts';
export { openSafetensors, writeSafetensors } from './weights/safetensors/safetensors.ts';
export { type NamedTensor, type TensorFile, WeightsError } from './weights/tensor-file.ts';

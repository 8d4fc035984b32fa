/** A MODEL of any kind, ready to predict with any runtime. */
import type { Graph } from '../graph/graph.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import type { ModelDescription } from '../model/description.ts';
import type { OnnxFeatures } from '../onnx/run/session-predictor.ts';
import type { Predictor } from '../predict/predict-images.ts';

/** Overrides for what a file says about its model, or does not say. */
export interface ModelOverrides {
  /**
   * Labels in the order of the outputs. Default: the file's own; for an .onnx file without labels ImageNet's if it has 1,000 or 1,001
   * outputs, and otherwise `class 0`, `class 1`, …
   */
  readonly classes?: readonly string[];
  /** Identifiers of these labels, such as synsets. */
  readonly classIds?: readonly string[];
  /**
   * Cropping and scaling of images. An .onnx file without metadata needs `mean` and `std`; its defaults are its own size and
   * torchvision's crop. `preprocessingPresets` has named presets.
   */
  readonly preprocessing?: Partial<Preprocessing>;
  /** For .onnx files: whether the outputs are already probabilities. Default: as stated in the file, or whether they come from a softmax. */
  readonly probabilities?: boolean;
}

/** A predictor for any number of images; `batch` is its preferred batch size. */
export interface ImagePredictor extends Predictor {
  /** Maps bytes [n, height, width, channels] to probabilities, float32 [n, classes]. */
  predict(images: Uint8Array): Promise<Float32Array>;
  /** The network's outputs, float32 [n, outputs]: logits, or features for a network without a classifier. */
  outputs(images: Uint8Array): Promise<Float32Array>;
  /** Of .onnx files that were exported with what their classifier reads. */
  readonly features?: OnnxFeatures | undefined;
}

export interface PredictingModel {
  /** .onnx files from other tools do not state their network. */
  readonly description: Omit<ModelDescription, 'network' | 'options'> & Partial<ModelDescription>;
  /** Undefined if the network is not known. */
  readonly graph?: Graph;
  /** What was loaded: `runs/first/model.safetensors`, `hub:timm/inception_v4.tf_in1k`, `photos.onnx`. */
  readonly source: string;
  /** `float32`, `bfloat16`, `float16` or `int8`; undefined for .onnx files from other tools. */
  readonly precision: string | undefined;
  readonly predictor: ImagePredictor;
  release(): Promise<void>;
}

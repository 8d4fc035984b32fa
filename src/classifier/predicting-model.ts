/** A MODEL of any kind, ready to predict, whatever computes it. */
import type { Graph } from '../graph/graph.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import type { ModelDescription } from '../model/description.ts';
import type { Predictor } from '../predict/predict-images.ts';

/** What a file does not say of its model, or in the place of what it says. */
export interface ModelOverrides {
  /** Labels in the order of the outputs. Default: the file's own; of an .onnx file that has none `class 0`, `class 1`, … */
  readonly classes?: readonly string[];
  /**
   * How images are cut and scaled. An .onnx file that says nothing needs `mean` and `std`, and has otherwise its own size and
   * torchvision's crop; `preprocessingPresets` has named presets.
   */
  readonly preprocessing?: Partial<Preprocessing>;
  /** Of .onnx files: whether the outputs are probabilities already. Default: what the file says, or false. */
  readonly probabilities?: boolean;
}

/** A predictor that takes any number of images; `batch` is how many it is best given at a time. */
export interface ImagePredictor extends Predictor {
  /** Bytes [n, height, width, channels] to probabilities, float32 [n, classes]. */
  predict(images: Uint8Array): Promise<Float32Array>;
  /** What the network ends in, float32 [n, outputs]: logits, or features of a network without a classifier. */
  outputs(images: Uint8Array): Promise<Float32Array>;
}

export interface PredictingModel {
  /** An .onnx file of other people's does not say what network it is. */
  readonly description: Omit<ModelDescription, 'network' | 'options'> & Partial<ModelDescription>;
  /** Of a model whose network is known. */
  readonly graph?: Graph;
  /** What was read: `runs/first/model.safetensors`, `hub:timm/inception_v4.tf_in1k`, `photos.onnx`. */
  readonly source: string;
  /** `float32`, `bfloat16`, `float16` or `int8`; undefined of other people's .onnx files. */
  readonly precision: string | undefined;
  readonly predictor: ImagePredictor;
  release(): Promise<void>;
}

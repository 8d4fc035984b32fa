/** The library call for users of an ONNX file: a path in, labels with probabilities out. Needs no libtorch. */
import { readFile } from 'node:fs/promises';
import { decodeImage } from '../data/decode.ts';
import type { Views } from '../images/crops.ts';
import type { Image } from '../images/image.ts';
import { inputBytes, type Preprocessing, preprocess, usualPreprocessings } from '../images/preprocess.ts';
import type { ModelDescription } from '../model/description.ts';
import { DeployError } from '../onnx/deploy-error.ts';
import { describedBy } from '../onnx/model-metadata.ts';
import type { SizedByFile } from '../onnx/run/file-input.ts';
import { type OnnxPredictor, openOnnxPredictor } from '../onnx/run/onnx-predictor.ts';
import type { SessionOptions } from '../onnx/run/runtime.ts';
import { walkModel } from '../onnx/run/walk-model.ts';
import { type Member, predictImages } from '../predict/predict-images.ts';
import { topClasses } from '../predict/top-classes.ts';

export interface ClassifierOptions extends SessionOptions {
  /** Images computed at a time, and what `predictor.batch` says. Default 16. */
  readonly batch?: number;
  /** Labels in the order of the outputs. Default: the file's own; of a file that has none `class 0`, `class 1`, … */
  readonly classes?: readonly string[];
  /**
   * In the place of what the file says. A file that says nothing needs `mean` and `std`, and has otherwise its own size and
   * torchvision's crop; `usualPreprocessings` has usual ones by name.
   */
  readonly preprocessing?: Partial<Preprocessing>;
  /** Whether the outputs are probabilities already. Default: what the file says; of a file that says nothing, false. */
  readonly probabilities?: boolean;
}

/** An image's file, the bytes of a JPEG, PNG or WebP, or decoded pixels. */
export type ImageSource = string | Uint8Array | Image;

export interface Classification {
  readonly label: string;
  /** Place of the label in `classes`. */
  readonly index: number;
  /** 0–1. */
  readonly probability: number;
}

export interface ClassifyOptions {
  /** How many labels. Default 5. */
  readonly top?: number;
  /** Crops of each image whose probabilities are averaged. Default: the single crop. */
  readonly views?: Views;
}

export interface Classifier {
  readonly classes: readonly string[];
  readonly preprocessing: Preprocessing;
  /** The whole description; only files of `inception export` have one. */
  readonly description: ModelDescription | undefined;
  /** `float32`, `float16` or `int8`; of other people's files, undefined. */
  readonly precision: string | undefined;
  /** The file. */
  readonly source: string;
  /** For `predictImages`, `score` and servers: preprocessed bytes in, probabilities out. */
  readonly predictor: OnnxPredictor;
  /** The most probable labels of one image, most probable first. @throws DataError if it cannot be decoded. */
  classify(image: ImageSource, options?: ClassifyOptions): Promise<readonly Classification[]>;
  /** The same for several, in their order, computed in batches. */
  classifyAll(
    images: readonly ImageSource[],
    options?: ClassifyOptions,
  ): Promise<readonly (readonly Classification[])[]>;
  /** Gives the memory back. Meant for the end: ONNX Runtime does not like being opened and released over and over. */
  release(): Promise<void>;
}

/**
 * Opens an ONNX file for classification.
 *
 * ```ts
 * const classifier = await loadClassifier('model.onnx');
 * const [best] = await classifier.classify('cat.jpg');
 * console.log(best.label, best.probability);
 * ```
 *
 * The file is walked before ONNX Runtime sees it; one that refers to other files, or has operators that are not ONNX's
 * own, is refused.
 * @throws DeployError or ModelError saying what is wrong with which file.
 */
export async function loadClassifier(path: string, options: ClassifierOptions = {}): Promise<Classifier> {
  const model = await readModel(path);
  const { metadata } = walkModel(model, path);
  const description = describedBy(metadata, path);
  const predictor = await openOnnxPredictor(model, {
    path,
    preprocessing: preprocessingOf(path, { ...description?.preprocessing, ...options.preprocessing }),
    softmax: options.probabilities ?? metadata.get('output') === 'probabilities',
    batch: options.batch,
    threads: options.threads,
  });
  const classes =
    options.classes ??
    description?.classes ??
    Array.from({ length: predictor.classes }, (_, index) => `class ${index}`);
  if (classes.length > 0 && classes.length !== predictor.classes) {
    throw new DeployError(
      `${path}: expected ${predictor.classes} labels, one for each output, received ${classes.length}`,
    );
  }
  return classifierOf({
    classes,
    preprocessing: predictor.preprocessing,
    description,
    precision: metadata.get('precision'),
    source: path,
    predictor,
  });
}

/** How the image is cut is a matter of taste; how its values are scaled is not. @throws DeployError */
function preprocessingOf(path: string, { mean, std, ...rest }: Partial<Preprocessing>): SizedByFile {
  if (mean && std) return { ...usualPreprocessings.imagenet, ...rest, mean, std };
  throw new DeployError(
    `${path}: it does not say how images are scaled for it, as files of 'inception export' do; expected a preprocessing with 'mean' and 'std' (--preprocessing ${Object.keys(usualPreprocessings).join(', ')}, or --mean and --std)`,
  );
}

async function readModel(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new DeployError(`${path}: there is no such file; 'inception export MODEL -o ${path}' writes one`);
  }
}

const singleCrop: Views = { crops: 1 };

function classifierOf(facts: Omit<Classifier, 'classify' | 'classifyAll' | 'release'>): Classifier {
  const { classes, preprocessing, predictor, source } = facts;
  const refuse = () => {
    throw new DeployError(`${source}: the network has no classifier, so that there are no labels`);
  };
  const rank = (probabilities: Float32Array | Float64Array, top: number): Classification[] =>
    topClasses(probabilities, { classes: classes.length, k: top }).map(({ label, probability }) => ({
      label: classes[label] as string,
      index: label,
      probability,
    }));
  const classifyAll: Classifier['classifyAll'] = async (sources, { top = 5, views = singleCrop } = {}) => {
    if (classes.length === 0) refuse();
    const images = {
      name: 'images',
      length: sources.length,
      classes,
      label: () => 0,
      nameOf: (index: number) => `image ${index}`,
      image: (index: number) => imageOf(sources[index] as ImageSource),
    };
    // Five images are not padded to sixteen.
    const most = sources.length * views.crops * (views.flip ? 2 : 1);
    const members: Member[] = [
      { predictor: { ...predictor, batch: Math.min(predictor.batch, most) }, preprocessing },
    ];
    const results: Classification[][] = [];
    for await (const { probabilities } of predictImages(images, { members, views }))
      results.push(rank(probabilities, top));
    return results;
  };
  return {
    ...facts,
    classifyAll,
    classify: async (image, options = {}) => {
      if (options.views) return (await classifyAll([image], options))[0] as readonly Classification[];
      if (classes.length === 0) refuse();
      const bytes = new Uint8Array(inputBytes(preprocessing));
      preprocess(await imageOf(image), preprocessing, bytes);
      return rank(await predictor.predict(bytes), options.top ?? 5);
    },
    release: () => predictor.release(),
  };
}

const imageOf = (image: ImageSource): Promise<Image> | Image =>
  typeof image === 'string' || image instanceof Uint8Array ? decodeImage(image) : image;

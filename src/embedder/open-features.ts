/** Opens a MODEL for the features of images: weights by libtorch, an .onnx file by ONNX Runtime. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { openByOnnx } from '../classifier/run-by-onnx.ts';
import type { Precision } from '../compile/options.ts';
import type { Device, Engine } from '../engine/engine.ts';
import { openTorch } from '../engine/torch.ts';
import { UsageError } from '../errors.ts';
import type { FeatureOptions } from '../features/compute-features.ts';
import { loadFeatureModel } from '../features/feature-model.ts';
import { classifierInput, findPart, type Part } from '../features/parts.ts';
import type { ModelDescription } from '../model/description.ts';
import type { Notices } from '../model/model-file.ts';
import { modelKind } from '../model/model-kind.ts';
import { DeployError } from '../onnx/deploy-error.ts';
import { featuresName } from '../onnx/model-metadata.ts';

export interface OpenFeaturesOptions extends Notices {
  readonly features: string;
  readonly device: Device | 'auto';
  readonly precision: Precision | 'auto';
  readonly threads?: number | undefined;
  readonly engine?: Engine | undefined;
}

/** What `featuresOf` needs of a model, whatever computes it. */
export interface OpenFeatures {
  readonly model: FeatureOptions['model'];
  readonly part: Part;
  close(): Promise<void>;
}

/** @throws UsageError for a part that the model has not; DeployError for an .onnx file without features; as `openModel`. */
export const openFeatures = (path: string, options: OpenFeaturesOptions): Promise<OpenFeatures> =>
  modelKind(path) === 'onnx' ? openFile(path, options) : openWeights(path, options);

async function openWeights(path: string, options: OpenFeaturesOptions): Promise<OpenFeatures> {
  const { features, device, precision, threads, onNotice, onProgress } = options;
  const engine = options.engine ?? openTorch({ device, ...(threads !== undefined && { threads }) });
  const closeEngine = async () => {
    if (!options.engine) await engine.close();
  };
  try {
    const model = await loadFeatureModel(path, {
      engine,
      ...(precision !== 'auto' && { precision }),
      ...(onNotice && { onNotice }),
      ...(onProgress && { onProgress }),
    });
    return {
      model,
      part: findPart(model.graph, features),
      close: async () => {
        model.release();
        await closeEngine();
      },
    };
  } catch (error) {
    await closeEngine();
    throw error;
  }
}

async function openFile(path: string, options: OpenFeaturesOptions): Promise<OpenFeatures> {
  const { features: name, precision: asked, device, threads, onNotice } = options;
  if (name !== classifierInput)
    throw new UsageError(
      `features: an .onnx file has the features before its classifier only; expected ${classifierInput}, or a model with weights; received '${name}'`,
    );
  if (asked !== 'auto')
    throw new UsageError(
      `precision: the precision of an .onnx file is fixed by its export; received '${asked}'`,
    );
  if (device === 'cuda') throw new UsageError("device: an .onnx file runs on the CPU; received 'cuda'");
  const opened = await openByOnnx(path, { threads, ...(onNotice && { onNotice }) });
  const { description, predictor, precision = 'unknown', source } = opened;
  // A network without a classifier gives nothing else; of a file of another tool it is not known what it gives.
  const headless = opened.graph?.network.classes === 0;
  const features = headless
    ? { length: predictor.classes, compute: predictor.outputs }
    : opened.graph && predictor.features;
  if (!features) {
    await opened.release();
    throw new DeployError(
      `${path}: has no output '${featuresName}' of this package with what its classifier reads; 'inception export MODEL -o ${path} --features' writes one`,
    );
  }
  return {
    model: {
      source,
      description: description as ModelDescription,
      featuresSha256: await sha256Of(path),
      precision: precision as Precision,
      features: async (images) => {
        const bytes = images as Uint8Array;
        const data = await features.compute(bytes);
        return {
          [featuresName]: { dtype: 'float32', shape: [data.length / features.length, features.length], data },
        };
      },
    },
    part: { name: classifierInput, endpoint: featuresName, length: features.length },
    close: opened.release,
  };
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(path)) hash.update(bytes as Uint8Array);
  return hash.digest('hex');
}

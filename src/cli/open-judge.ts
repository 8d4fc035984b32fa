/** Opens the MODEL that judges the labels of a data set: by a cross-validation on its features where it was trained on these images. */
import { isTrainedOn, type JudgingFeatures, type JudgingModel } from '../check/check-labels.ts';
import { openModels, type RunningModel } from '../classifier/open-models.ts';
import { type Engine, EngineUnavailableError } from '../engine/engine.ts';
import { defaultFeatureCache } from '../features/feature-cache.ts';
import { loadFeatureModel } from '../features/feature-model.ts';
import type { ModelFile, Notices } from '../model/model-file.ts';
import { modelKind } from '../model/model-kind.ts';
import { openModel } from '../predict/open-model.ts';
import { openEngine } from './options/engine-options.ts';

export interface Judge {
  readonly model: JudgingModel | JudgingFeatures;
  close(): Promise<void>;
}

/** Images per batch where the network itself judges. */
const batch = 32;

/** @throws as `openModels` */
export async function openJudge(
  path: string,
  { source, ...notices }: Notices & { readonly source: string },
): Promise<Judge> {
  return (await openFeatures(path, { source, ...notices })) ?? openNetwork(path, notices);
}

async function openNetwork(path: string, notices: Notices): Promise<Judge> {
  const { models, close } = await openModels([path], { ...notices, batch });
  return { model: models[0] as RunningModel, close };
}

/** Undefined for a model that has not seen the images, that has no weights, or where libtorch is not installed, which is said. */
async function openFeatures(
  path: string,
  { source, onNotice }: Notices & { readonly source: string },
): Promise<Judge | undefined> {
  // Only runs and models of runs say what they were trained on, and they are not on the hub.
  if (modelKind(path) !== 'weights') return undefined;
  const file = await openModel(path);
  try {
    if (!isTrainedOn(source, file.description)) return undefined;
    const engine = await openEngine({ device: 'auto' }).catch((error) => {
      if (!(error instanceof EngineUnavailableError)) throw error;
      onNotice?.(
        `${file.source}: was trained on these images, and its labels cannot be cross-validated: ${error.message}`,
      );
      return undefined;
    });
    return engine && (await withFeatures(file, engine));
  } finally {
    await file.close();
  }
}

async function withFeatures(file: ModelFile, engine: Engine): Promise<Judge> {
  const { description, source } = file;
  try {
    const features = await loadFeatureModel(file, { engine });
    return {
      model: { source, description, engine, features, cache: defaultFeatureCache() },
      close: async () => {
        features.release();
        await engine.close();
      },
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

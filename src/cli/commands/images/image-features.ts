/** The features of images that a command names, for `embed` and `similar`. */
import { findImages } from '../../../data/folders/find-images.ts';
import { namedImages } from '../../../data/folders/named-images.ts';
import type { Engine } from '../../../engine/engine.ts';
import { featuresOf } from '../../../features/compute-features.ts';
import { defaultFeatureCache } from '../../../features/feature-cache.ts';
import type { FeatureModel } from '../../../features/feature-model.ts';
import type { Part } from '../../../features/parts.ts';
import { progressOver } from '../../output/image-progress.ts';

export interface ImageFeatures {
  readonly files: readonly string[];
  /** [files, part.length] */
  readonly values: Float32Array;
  readonly broken: readonly { readonly file: string; readonly reason: string }[];
}

export interface FeatureWork {
  readonly engine: Engine;
  readonly model: FeatureModel;
  readonly part: Part;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Each image once; those that cannot be decoded are said and counted. */
export async function featuresOfImages(
  names: readonly string[],
  { model, part, signal, say }: FeatureWork,
): Promise<ImageFeatures> {
  const found = new Map((await findImages(names, { onNotice: say })).map((image) => [image.file, image]));
  const broken: { file: string; reason: string }[] = [];
  const skip = (file: string, reason: string) => {
    broken.push({ file, reason });
    say(`warning: ${reason}`);
  };
  for (const { file, error } of found.values()) if (error !== undefined) skip(file, error);
  const usable = [...found.values()].filter(({ error }) => error === undefined);
  const files = usable.map(({ file }) => file);
  let progress: ReturnType<typeof progressOver> | undefined;
  const begin = performance.now();
  const dataset = namedImages(usable);
  const { indices, parts, cached, computed, seconds } = await featuresOf(dataset, {
    model,
    parts: [part],
    cache: defaultFeatureCache(),
    onBroken: (index, { message }) => skip(dataset.nameOf(index), message),
    onImage: ({ done, total }) => {
      progress ??= progressOver(total);
      progress.step(done / ((performance.now() - begin) / 1000));
    },
    onNotice: say,
    signal,
  }).finally(() => progress?.stop());
  if (cached > 0)
    say(
      `features of ${cached} images are from the cache, of ${computed} computed in ${seconds.toFixed(1)} s`,
    );
  const [values] = parts;
  return {
    files: indices.map((index) => files[index] as string),
    values: values?.values ?? new Float32Array(),
    broken,
  };
}

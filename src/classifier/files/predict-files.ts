/** Predictions of any number of image files: decoded a few ahead, predicted in batches, written row by row. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { NamedImage } from '../../data/folders/find-images.ts';
import { namedImages } from '../../data/folders/named-images.ts';
import { describeViews, type Views } from '../../images/crops.ts';
import { ModelError } from '../../model/description.ts';
import { predictImages } from '../../predict/predict-images.ts';
import { rank } from '../classification.ts';
import type { RunningModel } from '../open-models.ts';
import { openPredictionWriter } from './prediction-writer.ts';

/** Where and how predictions of files are written. */
export interface PredictFilesOptions {
  /** A `.csv`, `.jsonl` or `.parquet` file; a `.json` beside the first two says how its rows were made. */
  readonly output: string;
  /** Labels for each image; no more than there are. Default 5. */
  readonly top?: number | undefined;
  /** Continue a file: rows that are there are kept. */
  readonly resume?: boolean | undefined;
  /** Crops per image. Default: the single crop. */
  readonly views?: Views;
  /** Called after each image that is predicted, with its views. */
  readonly onImage?: (progress: {
    readonly done: number;
    readonly total: number;
    readonly views: number;
  }) => void;
  /** Called for each image that cannot be decoded. */
  readonly onBroken?: (file: string, reason: string) => void;
  /** Called before the first image. */
  readonly onStart?: (start: { readonly known: number; readonly total: number }) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What became of each image of `predictFiles`. */
export interface PredictedFiles {
  /** Images whose rows were there before. */
  readonly known: number;
  /** Images that were predicted now. */
  readonly predicted: number;
  /** Images that could not be decoded, with the reason; they have no rows, and are tried again when the file is continued. */
  readonly broken: readonly { readonly file: string; readonly reason: string }[];
  /** False if the signal was aborted. */
  readonly complete: boolean;
}

/** @throws ModelError for a model without a classifier; UsageError and PredictionsError about the output */
export async function predictFiles(
  model: RunningModel,
  images: readonly NamedImage[],
  options: PredictFilesOptions,
): Promise<PredictedFiles> {
  const { output, resume = false, views = { crops: 1 }, onImage, onBroken, onStart, signal } = options;
  const { description, source, predictor, runtime, probabilities } = model;
  const { classes, classIds, preprocessing } = description;
  if (classes.length === 0)
    throw new ModelError(`${source}: the network has no classifier and therefore no labels`);
  const top = Math.min(options.top ?? 5, classes.length);
  const writer = await openPredictionWriter(output, {
    description: {
      model: source,
      classes: classes.length,
      // Rows with other labels for the same outputs are another file's.
      labelsSha256: createHash('sha256').update(JSON.stringify(classes)).digest('hex'),
      protocol: describeViews(preprocessing, views),
      // A file that was replaced under its name is another model.
      ...(await fileOf(source)),
      ...(probabilities !== undefined && { probabilities }),
      precision: runtime.precision,
    },
    classes,
    top,
    resume,
  });
  const named = uniqueFiles(images);
  const left = named.filter(({ file }) => !writer.known.has(file));
  const broken: { file: string; reason: string }[] = [];
  const skip = (file: string, reason: string) => {
    broken.push({ file, reason });
    onBroken?.(file, reason);
  };
  for (const { file, error } of left) if (error !== undefined) skip(file, error);
  const usable = left.filter(({ error }) => error === undefined);
  const files = usable.map(({ file }) => file);
  onStart?.({ known: writer.known.size, total: files.length });
  // One more than there are, so that a list of nothing but broken images is a result: each of them is named.
  const dataset = { ...namedImages(usable, classes), length: files.length + 1 };
  let predicted = 0;
  let complete = false;
  try {
    for await (const { index, probabilities, views: count } of predictImages(dataset, {
      members: [{ predictor, preprocessing }],
      views,
      indices: files.keys(),
      onBroken: (at, { message }) => skip(files[at] as string, message),
      ...(signal && { signal }),
    })) {
      writer.add({ file: files[index] as string, labels: rank(probabilities, { classes, classIds, top }) });
      predicted++;
      onImage?.({ done: predicted, total: files.length, views: count });
    }
    complete = !signal?.aborted;
  } finally {
    await writer.close({ complete });
  }
  return { known: named.length - left.length, predicted, broken, complete };
}

/** Size and time of change of a model's file, as `make` knows files; nothing of what is not one here. */
async function fileOf(source: string): Promise<{ readonly modelFile?: string }> {
  const info = await stat(source).catch(() => undefined);
  return info?.isFile() ? { modelFile: `${info.size} bytes, ${info.mtime.toISOString()}` } : {};
}

/** Each file once, whatever arguments name it. */
function uniqueFiles(images: readonly NamedImage[]): readonly NamedImage[] {
  const byName = new Map(images.map((image) => [image.file, image]));
  return [...byName.values()];
}

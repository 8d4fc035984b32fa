/** Predictions of any number of image files: decoded a few ahead, predicted in batches, written row by row. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { NamedImage } from '../../data/folders/find-images.ts';
import { namedImages } from '../../data/folders/named-images.ts';
import { type Group, ownGroup } from '../../distributed/group.ts';
import { inPortions } from '../../distributed/portions.ts';
import { describeViews, type Views } from '../../images/crops.ts';
import { ModelError } from '../../model/description.ts';
import { predictImages } from '../../predict/predict-images.ts';
import { rank } from '../classification.ts';
import type { RunningModel } from '../open-models.ts';
import type { PredictionRow } from './prediction-rows.ts';
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
  /** The processes that share the images; the first one writes. Default: this one. */
  readonly group?: Group | undefined;
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
  const { group = ownGroup } = options;
  const isFirst = group.rank === 0;
  const { description, source, predictor, runtime, probabilities } = model;
  const { classes, classIds, preprocessing } = description;
  if (classes.length === 0)
    throw new ModelError(`${source}: the network has no classifier and therefore no labels`);
  const top = Math.min(options.top ?? 5, classes.length);
  const open = async () =>
    openPredictionWriter(output, {
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
  const writer = isFirst ? await open() : undefined;
  const known = new Set(await group.fromFirst(writer && [...writer.known]));
  const named = uniqueFiles(images);
  const left = named.filter(({ file }) => !known.has(file));
  const broken: { file: string; reason: string }[] = [];
  const skip = (file: string, reason: string) => {
    broken.push({ file, reason });
    onBroken?.(file, reason);
  };
  for (const { file, error } of left) if (error !== undefined) skip(file, error);
  const usable = left.filter(({ error }) => error === undefined);
  const files = usable.map(({ file }) => file);
  onStart?.({ known: known.size, total: files.length });
  // One more than there are, so that a list of nothing but broken images is a result: each of them is named.
  const dataset = { ...namedImages(usable, classes), length: files.length + 1 };
  let predicted = 0;
  let complete = false;
  const add = (row: PredictionRow, count: number) => {
    writer?.add(row);
    predicted++;
    onImage?.({ done: predicted, total: files.length, views: count });
  };
  /** The first process's results are written as they come; those of others travel to it. */
  const predictOwn = async (own: readonly number[]) => {
    const rows: { row: PredictionRow; views: number }[] = [];
    const failed: { file: string; reason: string }[] = [];
    for await (const { index, probabilities, views: count } of predictImages(dataset, {
      members: [{ predictor, preprocessing }],
      views,
      indices: own,
      onBroken: (at, { message: reason }) => {
        const file = files[at] as string;
        if (isFirst) skip(file, reason);
        else failed.push({ file, reason });
      },
      ...(signal && { signal }),
    })) {
      const row = { file: files[index] as string, labels: rank(probabilities, { classes, classIds, top }) };
      if (isFirst) add(row, count);
      else rows.push({ row, views: count });
    }
    return { rows, failed, isInterrupted: signal?.aborted ?? false };
  };
  try {
    complete = true;
    for await (const parts of inPortions([...files.keys()], { group }, predictOwn)) {
      for (const { file, reason } of parts.flatMap(({ failed }) => failed)) skip(file, reason);
      for (const { row, views: count } of parts.flatMap(({ rows }) => rows)) add(row, count);
      complete = !parts.some(({ isInterrupted }) => isInterrupted);
      if (!complete) break;
    }
  } catch (error) {
    complete = false;
    throw error;
  } finally {
    await writer?.close({ complete });
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

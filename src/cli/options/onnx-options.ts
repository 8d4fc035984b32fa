/** Options for files of other tools, which do not say how images are prepared. */
import type { Command } from 'commander';
import type { ModelOverrides } from '../../classifier/predicting-model.ts';
import { readModelLabels } from '../../data/labels/model-labels.ts';
import { UsageError } from '../../errors.ts';
import {
  type PerChannel,
  type Preprocessing,
  type PreprocessingPreset,
  type Protocol,
  preprocessingPresets,
  protocols,
} from '../../images/preprocess.ts';
import { type ResamplingKernel, resamplingKernels } from '../../images/resize.ts';
import { modelKind } from '../../model/model-kind.ts';
import { numberIn, oneOf } from '../usage.ts';
import { inputSize } from './network-options.ts';

export interface OnnxOptions {
  readonly modelLabels?: string;
  readonly preprocessing?: PreprocessingPreset;
  readonly mean?: PerChannel;
  readonly std?: PerChannel;
  readonly inputSize?: number | readonly [number, number];
  readonly probabilities?: boolean;
}

/** How the single crop is cut; `evaluate` takes these options for every model. */
export interface CropOptions {
  readonly protocol?: Protocol;
  readonly crop?: number;
  readonly kernel?: ResamplingKernel;
}

/** Help of --model-labels, in every command that has it. */
export const modelLabels =
  'labels of the outputs: a file with one per line, optionally numbered or behind their synsets, or JSON';

const names = Object.keys(preprocessingPresets) as PreprocessingPreset[];

export function addOnnxOptions(command: Command): Command {
  const grouped = command
    .optionsGroup('Overrides for files without metadata (.onnx files, or if there are none, all models):')
    .option('--model-labels <file>', modelLabels);
  return addScalingOptions(grouped)
    .option(
      '--input-size <pixels>',
      "input resolution, as 299 or HEIGHTxWIDTH (default: the file's)",
      inputSize,
    )
    .option('--probabilities', 'treat the outputs as probabilities instead of logits');
}

/** How the images were scaled that a network was trained on, which files of weights do not say. */
export function addScalingOptions(command: Command): Command {
  return command
    .option(
      '--preprocessing <name>',
      `cropping and normalisation preset: ${names.join(', ')}`,
      oneOf('--preprocessing', names),
    )
    .option('--mean <r,g,b>', 'mean of the normalisation (x / 255 − mean) / std; one value or three', mean)
    .option('--std <r,g,b>', 'standard deviation of the normalisation; one value or three', std);
}

export function addCropOptions(command: Command, defaults: string): Command {
  return command
    .option(
      '--protocol <name>',
      `single-crop protocol: ${protocols.join(', ')} (default: ${defaults})`,
      oneOf('--protocol', protocols),
    )
    .option(
      '--crop <fraction>',
      `fraction of each side kept by the single crop (default: ${defaults})`,
      numberIn('--crop', { atLeast: 0.1, atMost: 1 }),
    )
    .option(
      '--kernel <name>',
      `resampling kernel: ${resamplingKernels.join(', ')} (default: ${defaults})`,
      oneOf('--kernel', resamplingKernels),
    );
}

/** Whether a command's overrides are for a model: for .onnx files, which may say nothing of their images, or if there are none, for all. */
export const isOverridden = (path: string, paths: readonly string[]): boolean =>
  modelKind(path) === 'onnx' || paths.every((other) => modelKind(other) !== 'onnx');

/** The overrides for `loadClassifier`, the same for all models that `isOverridden` names. */
export async function readOnnxOptions(
  values: OnnxOptions & CropOptions,
  { paths, crop }: { paths: readonly string[]; crop: boolean },
): Promise<ModelOverrides> {
  const { modelLabels: labelFile, inputSize: side, probabilities } = values;
  if (probabilities !== undefined && !paths.some((path) => modelKind(path) === 'onnx'))
    throw new UsageError('--probabilities applies to .onnx files only; received none');
  const preprocessing: Partial<Preprocessing> = {
    ...scalingOf(values),
    ...(side !== undefined && { size: typeof side === 'number' ? [side, side] : side }),
    ...(crop && cropOf(values)),
  };
  return {
    ...(labelFile !== undefined && (await readModelLabels(labelFile))),
    ...(Object.keys(preprocessing).length > 0 && { preprocessing }),
    ...(probabilities !== undefined && { probabilities }),
  };
}

export const scalingOf = ({
  preprocessing: name,
  mean,
  std,
}: Pick<OnnxOptions, 'preprocessing' | 'mean' | 'std'>): Partial<Preprocessing> => ({
  ...(name !== undefined && preprocessingPresets[name]),
  ...(mean && { mean }),
  ...(std && { std }),
});

export const cropOf = ({ protocol, crop, kernel }: CropOptions): Partial<Preprocessing> => ({
  ...(protocol !== undefined && { protocol }),
  ...(crop !== undefined && { crop }),
  ...(kernel !== undefined && { kernel }),
});

const perChannel =
  (option: string, accepts: (value: number) => boolean) =>
  (text: string): PerChannel => {
    const values = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
    const [red = 0, green = red, blue = red] = values;
    if (
      (values.length === 1 || values.length === 3) &&
      values.every((value) => Number.isFinite(value) && accepts(value))
    )
      return [red, green, blue];
    throw new UsageError(
      `${option}: expected one number or three, as fractions of 255, such as 0.485,0.456,0.406, received '${text}'`,
    );
  };

const mean = perChannel('--mean', () => true);
const std = perChannel('--std', (value) => value > 0);

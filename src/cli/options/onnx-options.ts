/** Options for .onnx files from other tools, which lack our metadata. */
import type { Command } from 'commander';
import type { ModelOverrides } from '../../classifier/predicting-model.ts';
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
import { modelLabels, readLabelFile } from './label-file.ts';
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

const names = Object.keys(preprocessingPresets) as PreprocessingPreset[];

export function addOnnxOptions(command: Command): Command {
  return command
    .optionsGroup('Overrides for .onnx files without metadata:')
    .option('--model-labels <file>', modelLabels)
    .option(
      '--preprocessing <name>',
      `cropping and normalisation preset: ${names.join(', ')}`,
      oneOf('--preprocessing', names),
    )
    .option('--mean <r,g,b>', 'mean of the normalisation (x / 255 − mean) / std; one value or three', mean)
    .option('--std <r,g,b>', 'standard deviation of the normalisation; one value or three', std)
    .option(
      '--input-size <pixels>',
      "input resolution, as 299 or HEIGHTxWIDTH (default: the file's)",
      inputSize,
    )
    .option('--probabilities', 'treat the outputs as probabilities instead of logits');
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

/**
 * The overrides for `loadClassifier`, the same for all .onnx files of a command.
 * @throws UsageError if there are overrides but no .onnx file.
 */
export async function readOnnxOptions(
  values: OnnxOptions & CropOptions,
  { paths, crop }: { paths: readonly string[]; crop: boolean },
): Promise<ModelOverrides> {
  const { modelLabels: labelFile, preprocessing: name, mean, std, inputSize: side, probabilities } = values;
  const preprocessing: Partial<Preprocessing> = {
    ...(name !== undefined && preprocessingPresets[name]),
    ...(mean && { mean }),
    ...(std && { std }),
    ...(side !== undefined && { size: typeof side === 'number' ? [side, side] : side }),
    ...(crop && cropOf(values)),
  };
  const options: ModelOverrides = {
    ...(labelFile !== undefined && { classes: await readLabelFile(labelFile, '--model-labels') }),
    ...(Object.keys(preprocessing).length > 0 && { preprocessing }),
    ...(probabilities !== undefined && { probabilities }),
  };
  const hasOverrides = Object.keys(options).length > 0;
  if (hasOverrides && !paths.some((path) => modelKind(path) === 'onnx'))
    throw new UsageError(
      '--model-labels, --preprocessing, --mean, --std, --input-size and --probabilities apply to .onnx files only; received none',
    );
  return options;
}

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

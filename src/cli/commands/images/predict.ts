/** `inception predict`: the labels of any number of images, as a file. */
import type { Command } from 'commander';
import { predictFiles } from '../../../classifier/files/predict-files.ts';
import { checkOutput, predictionEndings } from '../../../classifier/files/prediction-writer.ts';
import { openModels, type RunningModel } from '../../../classifier/open-models.ts';
import { findImages } from '../../../data/folders/find-images.ts';
import { UsageError } from '../../../errors.ts';
import type { CropCount } from '../../../images/crops.ts';
import { addGroupOptions, inGroup, type Joined } from '../../in-group.ts';
import { addInferenceOptions, type InferenceOptions, runtimeOptions } from '../../options/engine-options.ts';
import { noNotices, noticesTo, predictingArgument, readCrops } from '../../options/model-options.ts';
import {
  addCropOptions,
  addOnnxOptions,
  type CropOptions,
  type OnnxOptions,
  readOnnxOptions,
} from '../../options/onnx-options.ts';
import { grouped } from '../../output/format.ts';
import { progressOver } from '../../output/image-progress.ts';
import { onInterruption } from '../../signals.ts';
import { addOutput, wholeNumber } from '../../usage.ts';

type Values = InferenceOptions &
  OnnxOptions &
  CropOptions & {
    output: string;
    top: number;
    crops: CropCount;
    testFlip?: boolean;
    batch?: number;
    resume?: boolean;
    json?: boolean;
  };

/** Crops per batch, as `evaluate` has them. */
const batches = { batch: 64, foreignBatch: 4 } as const;

export function addPredict(program: Command): void {
  const command = program
    .command('predict')
    .description('write the most probable labels of any number of images to a file')
    .argument('<model>', predictingArgument)
    .argument('<image...>', 'image files, folders of them, or patterns such as "photos/**/*.jpg"');
  addOutput(command, { value: 'file', about: `file to write: ${predictionEndings.join(', ')}` })
    .option('--top <k>', 'number of labels per image', wholeNumber('--top'), 5)
    .option('--resume', 'continue a .csv or .jsonl file: rows that are there are kept')
    .option('--crops <n>', 'crops per image: 1, 10, 12 or 144', readCrops, 1)
    .option('--test-flip', 'average the single crop with its mirror image')
    .option('--batch <n>', `crops per batch (default: ${batches.batch})`, wholeNumber('--batch'))
    .option('--json', 'print a summary as JSON');
  addOnnxOptions(addCropOptions(addGroupOptions(addInferenceOptions(command)), "the model's own"))
    .addHelpText(
      'after',
      `
Images that cannot be decoded are named and counted, have no row, and make the exit code 1.

Examples:
  inception predict runs/photos holiday/ -o holiday.csv
  inception predict hub:timm/inception_v4.tf_in1k "archive/**/*.jpg" -o archive.jsonl --resume
  inception predict photos.onnx holiday/ -o holiday.parquet --top 1`,
    )
    .action((path: string, names: readonly string[], values: Values) =>
      inGroup(values, (joined) => run(path, names, values, joined)),
    );
}

async function run(
  path: string,
  names: readonly string[],
  values: Values,
  { group, threads }: Joined,
): Promise<void> {
  const { output, top, resume = false, crops, testFlip: flip = false, json } = values;
  if (flip && crops > 1)
    throw new UsageError(`--test-flip: has no effect with --crops ${crops}, which include mirror images`);
  checkOutput(output, { resume });
  const notices = group.rank === 0 ? noticesTo(process.stderr) : noNotices;
  const overrides = await readOnnxOptions(values, { paths: [path], crop: true });
  const images = await findImages(names, notices);
  const open = await openModels([path], {
    ...runtimeOptions({ ...values, ...(threads !== undefined && { threads }) }),
    ...notices,
    ...(values.batch === undefined ? batches : { batch: values.batch }),
    overridesOf: () => overrides,
  });
  const interruption = onInterruption();
  let progress: ReturnType<typeof progressOver> | undefined;
  const say = (line: string) => (progress ? progress.say(line) : notices.onNotice?.(line));
  const begin = performance.now();
  let computed = 0;
  try {
    const [model] = open.models as readonly [RunningModel];
    const result = await predictFiles(model, images, {
      output,
      top,
      resume,
      views: { crops, flip },
      signal: interruption.signal,
      group,
      onStart: ({ known, total }) => {
        if (known > 0) say(`${grouped(known)} images have rows in ${output} already`);
        if (group.rank === 0) progress = progressOver(total);
      },
      onImage: ({ views }) => {
        computed += views;
        progress?.step(computed / ((performance.now() - begin) / 1000));
      },
      onBroken: (_, reason) => say(`warning: ${reason}`),
    });
    progress?.stop();
    const { known, predicted, broken } = result;
    interruption.throwIfInterrupted(
      `interrupted after ${grouped(predicted)} images; ${output.endsWith('.parquet') ? 'nothing was written' : `--resume continues ${output}`}`,
    );
    if (broken.length > 0) process.exitCode = 1;
    if (group.rank > 0) return;
    if (json)
      process.stdout.write(`${JSON.stringify({ output, model: model.source, ...result }, null, 2)}\n`);
    else
      process.stderr.write(
        `${output}: ${grouped(known + predicted)} images${known > 0 ? `, ${grouped(predicted)} of them now` : ''}${broken.length > 0 ? `; ${grouped(broken.length)} could not be decoded` : ''}\n`,
      );
  } finally {
    interruption.end();
    notices.end();
    await open.close();
  }
}

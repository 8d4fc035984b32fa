/** `inception classify`: the most probable labels of image files. */
import type { Command } from 'commander';
import { decodeImage } from '../../data/decode.ts';
import type { CropCount, Views } from '../../images/crops.ts';
import { predictImages } from '../../predict/predict-images.ts';
import { topClasses } from '../../predict/top-classes.ts';
import { openModels, type PredictingModel } from '../open-models.ts';
import { addEngineOptions, type EngineOptions } from '../options/engine-options.ts';
import { noticesTo, predictingArgument, readCrops } from '../options/model-options.ts';
import {
  addCropOptions,
  addOnnxOptions,
  type CropOptions,
  type OnnxOptions,
  readOnnxOptions,
} from '../options/onnx-options.ts';
import { colours } from '../output/colours.ts';
import { wholeNumber } from '../usage.ts';

type Values = EngineOptions &
  OnnxOptions &
  CropOptions & {
    model: string;
    top: number;
    crops: CropCount;
    testFlip?: boolean;
    json?: boolean;
  };

export function addClassify(program: Command): void {
  const command = addEngineOptions(
    program
      .command('classify')
      .description('the most probable labels of images')
      .argument('<image...>', 'JPEG, PNG or WebP files')
      .requiredOption('--model <model>', predictingArgument)
      .option('--top <k>', 'labels for each image', wholeNumber('--top'), 5)
      .option('--crops <n>', '1, 10, 12 or 144 crops of each image', readCrops, 1)
      .option('--test-flip', 'average each crop with its mirror image')
      .option('--json', 'print JSON'),
  );
  addCropOptions(addOnnxOptions(command), "torchvision's")
    .addHelpText(
      'after',
      `
Examples:
  inception classify shoe.jpg bag.png --model runs/fashion
  inception classify cat.jpg --model photos.onnx
  inception classify cat.jpg --model resnet50.onnx --model-labels imagenet.txt --preprocessing imagenet
  inception classify cat.jpg --model hub:timm/inception_v4.tf_in1k`,
    )
    .action(run);
}

async function run(files: readonly string[], values: Values): Promise<void> {
  const notices = noticesTo(process.stderr);
  const views: Views = { crops: values.crops, flip: values.testFlip ?? false };
  const batch = Math.min(files.length * (views.crops === 1 ? (views.flip ? 2 : 1) : views.crops), 16);
  const paths = [values.model];
  const classifier = await readOnnxOptions(values, { paths, crop: true });
  const open = await openModels(paths, { batch, values, notices, classifier });
  try {
    const [{ predictor, description }] = open.models as readonly [PredictingModel];
    const { preprocessing, classes } = description;
    const results: { file: string; labels: { label: string; probability: number }[] }[] = [];
    const images = {
      name: 'files',
      length: files.length,
      classes,
      label: () => 0,
      nameOf: (index: number) => files[index] as string,
      image: (index: number) => decodeImage(files[index] as string),
    };
    const members = [{ predictor, preprocessing }];
    for await (const { index, probabilities } of predictImages(images, { members, views })) {
      const best = topClasses(probabilities, { classes: classes.length, k: values.top });
      results.push({
        file: files[index] as string,
        labels: best.map(({ label, probability }) => ({ label: classes[label] as string, probability })),
      });
    }
    process.stdout.write(values.json ? `${JSON.stringify(results, null, 2)}\n` : text(results));
  } finally {
    notices.end();
    await open.close();
  }
}

function text(
  results: readonly { file: string; labels: readonly { label: string; probability: number }[] }[],
): string {
  const lines = results.flatMap(({ file, labels }) => [
    colours.bold(file),
    ...labels.map(({ label, probability }) => {
      const bar = '█'.repeat(Math.round(probability * 20)).padEnd(20, '░');
      return `  ${(probability * 100).toFixed(1).padStart(5)}%  ${colours.cyan(bar)}  ${label}`;
    }),
  ]);
  return `${lines.join('\n')}\n`;
}

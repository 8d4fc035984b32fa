/** `inception classify`: the most probable labels of image files. */
import type { Command } from 'commander';
import type { Classification } from '../../classifier/classification.ts';
import { loadClassifier } from '../../classifier/classifier.ts';
import { UsageError } from '../../errors.ts';
import type { CropCount } from '../../images/crops.ts';
import { addEngineOptions, type EngineOptions, runtimeOptions } from '../options/engine-options.ts';
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
      .description('print the most probable labels of images')
      .argument('<image...>', 'JPEG, PNG or WebP files')
      .requiredOption('--model <model>', predictingArgument)
      .option('--top <k>', 'number of labels per image', wholeNumber('--top'), 5)
      .option('--crops <n>', 'crops per image: 1, 10, 12 or 144', readCrops, 1)
      .option('--test-flip', 'average the single crop with its mirror image')
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
  const { model, crops, testFlip: flip = false, top, json } = values;
  if (flip && crops > 1)
    throw new UsageError(`--test-flip: has no effect with --crops ${crops}, which include mirror images`);
  const notices = noticesTo(process.stderr);
  const overrides = await readOnnxOptions(values, { paths: [model], crop: true });
  const classifier = await loadClassifier(model, { ...runtimeOptions(values), ...notices, ...overrides });
  try {
    const labels = await classifier.classify(files, { top, views: { crops, flip } });
    const results = files.map((file, index) => ({
      file,
      labels: labels[index] as readonly Classification[],
    }));
    process.stdout.write(json ? `${JSON.stringify(results, null, 2)}\n` : text(results, classifier.classes));
  } finally {
    notices.end();
    await classifier.close();
  }
}

function text(
  results: readonly { file: string; labels: readonly Classification[] }[],
  classes: readonly string[],
): string {
  const nameOf = ({ label, index, id }: Classification) => {
    // Two of ImageNet's classes are cranes.
    const unique = classes.indexOf(label) === classes.lastIndexOf(label);
    return unique ? label : `${label} (${id === undefined ? '' : `${id}, `}output ${index})`;
  };
  const lines = results.flatMap(({ file, labels }) => [
    colours.bold(file),
    ...labels.map((each) => {
      const bar = '█'.repeat(Math.round(each.probability * 20)).padEnd(20, '░');
      return `  ${(each.probability * 100).toFixed(1).padStart(5)}%  ${colours.cyan(bar)}  ${nameOf(each)}`;
    }),
  ]);
  return `${lines.join('\n')}\n`;
}

/** `inception classify`: the most probable labels of image files. */
import type { Command } from 'commander';
import type { Classification } from '../../classifier/classification.ts';
import { type Classifier, type ClassifyOptions, loadClassifier } from '../../classifier/classifier.ts';
import { DataError } from '../../data/data-error.ts';
import { findImages, type NamedImage } from '../../data/folders/find-images.ts';
import { decodeNamed } from '../../data/folders/named-images.ts';
import { UsageError } from '../../errors.ts';
import type { CropCount } from '../../images/crops.ts';
import type { Image } from '../../images/image.ts';
import { addInferenceOptions, type InferenceOptions, runtimeOptions } from '../options/engine-options.ts';
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

type Values = InferenceOptions &
  OnnxOptions &
  CropOptions & {
    model: string;
    top: number;
    crops: CropCount;
    testFlip?: boolean;
    json?: boolean;
  };

export function addClassify(program: Command): void {
  const command = addInferenceOptions(
    program
      .command('classify')
      .description('print the most probable labels of images')
      .argument('<image...>', 'image files, folders of them, or patterns such as "photos/*.jpg"')
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
  inception classify photos/ --model photos.onnx --top 1
  inception classify cat.jpg --model resnet50.onnx --model-labels imagenet.txt --preprocessing imagenet
  inception classify cat.jpg --model hub:timm/inception_v4.tf_in1k`,
    )
    .action(run);
}

async function run(names: readonly string[], values: Values): Promise<void> {
  const { model, crops, testFlip: flip = false, top, json } = values;
  if (flip && crops > 1)
    throw new UsageError(`--test-flip: has no effect with --crops ${crops}, which include mirror images`);
  const notices = noticesTo(process.stderr);
  const overrides = await readOnnxOptions(values, { paths: [model], crop: true });
  const images = await findImages(names, notices);
  const classifier = await loadClassifier(model, { ...runtimeOptions(values), ...notices, ...overrides });
  try {
    const results: Result[] = [];
    for (let start = 0; start < images.length; start += atATime) {
      const some = await classifyAll(classifier, images.slice(start, start + atATime), {
        top,
        views: { crops, flip },
      });
      results.push(...some);
      for (const result of some) {
        if ('error' in result) notices.onNotice?.(result.error);
        else if (!json) process.stdout.write(text(result, classifier.classes));
      }
    }
    if (json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
    const failed = results.filter((result) => 'error' in result).length;
    if (failed === 0) return;
    process.exitCode = 1;
    if (results.length > 1)
      notices.onNotice?.(`${failed} of ${results.length} images could not be classified`);
  } finally {
    notices.end();
    await classifier.close();
  }
}

/** Files that are decoded and classified together: a batch. */
const atATime = 16;

type Result =
  | { readonly file: string; readonly labels: readonly Classification[] }
  | { readonly file: string; readonly error: string };

/** One that cannot be read or decoded does not end the others. */
async function classifyAll(
  classifier: Classifier,
  images: readonly NamedImage[],
  options: ClassifyOptions,
): Promise<Result[]> {
  const decoded = await Promise.all(images.map((image) => image.error ?? decodedOrError(image)));
  const good = decoded.filter((image) => typeof image !== 'string');
  const labels = good.length === 0 ? [] : await classifier.classify(good, options);
  let next = 0;
  return images.map(({ file }, index) => {
    const image = decoded[index] as Image | string;
    return typeof image === 'string'
      ? { file, error: image }
      : { file, labels: labels[next++] as readonly Classification[] };
  });
}

async function decodedOrError(image: NamedImage): Promise<Image | string> {
  try {
    return await decodeNamed(image);
  } catch (error) {
    if (error instanceof DataError) return error.message;
    throw error;
  }
}

function text(
  { file, labels }: { file: string; labels: readonly Classification[] },
  classes: readonly string[],
): string {
  const nameOf = ({ label, index, id }: Classification) => {
    // Two of ImageNet's classes are cranes.
    const unique = classes.indexOf(label) === classes.lastIndexOf(label);
    return unique ? label : `${label} (${id === undefined ? '' : `${id}, `}output ${index})`;
  };
  const lines = labels.map((each) => {
    const bar = '█'.repeat(Math.round(each.probability * 20)).padEnd(20, '░');
    return `  ${(each.probability * 100).toFixed(1).padStart(5)}%  ${colours.cyan(bar)}  ${nameOf(each)}`;
  });
  return `${[colours.bold(file), ...lines].join('\n')}\n`;
}

/** `inception embed`, `inception similar` and `inception strongest`: images as vectors, the nearest of them, and those with most of one value. */
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { DataError } from '../../../data/data-error.ts';
import { encodePng } from '../../../data/decode.ts';
import { findImages, type NamedImage } from '../../../data/folders/find-images.ts';
import { decodeNamed } from '../../../data/folders/named-images.ts';
import { drawImages } from '../../../embedder/draw-images.ts';
import { type Embedder, type EmbeddingOptions, loadEmbedder } from '../../../embedder/embedder.ts';
import { UsageError } from '../../../errors.ts';
import { classifierInput } from '../../../features/parts.ts';
import { checkEmbeddingsFile } from '../../../features/write-embeddings.ts';
import { replaceFile } from '../../../replace-file.ts';
import { addEngineOptions, type EngineOptions } from '../../options/engine-options.ts';
import { noticesTo, predictingArgument } from '../../options/model-options.ts';
import { counted, grouped } from '../../output/format.ts';
import { progressOver } from '../../output/image-progress.ts';
import { onInterruption } from '../../signals.ts';
import { addOutput, wholeNumber } from '../../usage.ts';

type Values = EngineOptions & { readonly features: string };

const featuresAbout = `part of the network whose output, averaged over its grid, is the vector: '${classifierInput}', what the classifier reads, or a part as inceptionB`;

const helpText = `
Images that cannot be decoded are named and counted, and make the exit code 1. An .onnx file needs the features of its images as an
output: 'inception export MODEL -o FILE.onnx --features' writes one.
`;

export function addEmbed(program: Command): void {
  const embed = program
    .command('embed')
    .description('write vectors of any number of images to a file')
    .argument('<model>', predictingArgument)
    .argument('<image...>', 'image files, folders of them, or patterns such as "photos/**/*.jpg"');
  addOutput(embed, { value: 'file', about: 'file to write: .safetensors or .npy' }).option(
    '--features <part>',
    featuresAbout,
    classifierInput,
  );
  addEngineOptions(embed)
    .addHelpText(
      'after',
      `${helpText}
Examples:
  inception embed hub:timm/inception_v3.tv_in1k holiday/ -o holiday.npy
  inception embed runs/photos "archive/**/*.jpg" -o archive.safetensors --features inceptionB`,
    )
    .action(runEmbed);
}

export function addSimilar(program: Command): void {
  const similar = program
    .command('similar')
    .description('find the images that are most similar to an image')
    .argument('<model>', predictingArgument)
    .argument('<image>', 'an image file')
    .requiredOption('--in <image...>', 'image files, folders of them, or patterns to search')
    .option('--top <k>', 'number of images', wholeNumber('--top'), 10)
    .option('--features <part>', featuresAbout, classifierInput)
    .option('--json', 'print JSON');
  addEngineOptions(similar)
    .addHelpText(
      'after',
      `${helpText}
Examples:
  inception similar runs/photos beach.jpg --in holiday/
  inception similar photos.onnx beach.jpg --in holiday/ archive/ --top 3 --json`,
    )
    .action(runSimilar);
}

export function addStrongest(program: Command): void {
  const strongest = program
    .command('strongest')
    .description('find the images in which a channel of a part of the network is strongest')
    .argument('<model>', predictingArgument)
    .requiredOption('--channel <n>', 'channel of the part, from 0', wholeNumber('--channel', 0))
    .requiredOption('--in <image...>', 'image files, folders of them, or patterns to search')
    .option('--top <k>', 'number of images', wholeNumber('--top'), 9)
    .option('--features <part>', featuresAbout, classifierInput)
    .option('-o, --output <file>', 'a .png file: the images side by side')
    .option('--json', 'print JSON');
  addEngineOptions(strongest)
    .addHelpText(
      'after',
      `
How strong a channel is in an image is its mean over the part's grid.
${helpText}
Examples:
  inception strongest runs/photos --features reductionA --channel 12 --in photos/test -o channel-12.png
  inception strongest hub:timm/inception_v3.tv_in1k --channel 1031 --in holiday/ --top 4 --json`,
    )
    .action(runStrongest);
}

async function runStrongest(
  path: string,
  values: Values & {
    readonly channel: number;
    readonly in: readonly string[];
    readonly top: number;
    readonly output?: string;
    readonly json?: boolean;
  },
): Promise<void> {
  const { channel, top, output, json } = values;
  if (output !== undefined && !/\.png$/i.test(output))
    throw new UsageError(`--output: expected a file that ends in .png, received '${output}'`);
  await withEmbedder(path, values, async (embedder, { pass, say }) => {
    if (channel >= embedder.length)
      throw new UsageError(
        `--channel: expected 0 to ${embedder.length - 1}, the channels of '${embedder.features}', received ${channel}`,
      );
    const embedded = await embedder.embedFiles(values.in, pass);
    if (embedded.broken.length > 0) process.exitCode = 1;
    if (embedded.files.length === 0) throw new DataError(`${values.in.join(', ')}: no images to look at`);
    const found = embedded.files
      .map((file, row) => ({ file, mean: embedded.values[row * embedded.length + channel] as number }))
      .sort((a, b) => b.mean - a.mean)
      .slice(0, top);
    if (output !== undefined) {
      // Images can lie in shards, too: they are read as they were for their features.
      const images = new Map((await findImages(values.in)).map((image) => [image.file, image]));
      const drawn = await drawImages(
        found.map(({ file, mean }) => ({
          read: () => decodeNamed(images.get(file) as NamedImage),
          caption: `${mean.toPrecision(3)}  ${basename(file)}`,
        })),
      );
      if (!drawn.legible) say(`${output} has no text: no font is installed here (fontconfig finds none)`);
      const bytes = await encodePng(drawn.image);
      await replaceFile(output, (temporary) => writeFile(temporary, bytes));
    }
    process.stdout.write(
      json
        ? `${JSON.stringify(found, null, 2)}\n`
        : found.map(({ file, mean }) => `${mean.toFixed(4)}  ${file}\n`).join(''),
    );
  });
}

async function runEmbed(
  path: string,
  images: readonly string[],
  values: Values & { readonly output: string },
): Promise<void> {
  const { output } = values;
  checkEmbeddingsFile(output);
  await withEmbedder(path, values, async (embedder, { pass, say }) => {
    const { files, length, broken, cached, computed, seconds } = await embedder.embedFiles(images, {
      ...pass,
      output,
    });
    if (broken.length > 0) process.exitCode = 1;
    if (cached > 0)
      say(
        `features of ${counted(cached, 'image')} are from the cache, those of ${grouped(computed)} were computed in ${seconds.toFixed(1)} s`,
      );
    say(
      `${output}: ${counted(files.length, 'image')}, ${grouped(length)} values each${broken.length > 0 ? `; ${grouped(broken.length)} could not be decoded` : ''}`,
    );
  });
}

async function runSimilar(
  path: string,
  image: string,
  values: Values & { readonly in: readonly string[]; readonly top: number; readonly json?: boolean },
): Promise<void> {
  await withEmbedder(path, values, async (embedder, { pass }) => {
    const onBroken: EmbeddingOptions['onBroken'] = (file, reason) => {
      process.exitCode = 1;
      pass.onBroken?.(file, reason);
    };
    const found = await embedder.similar(image, { ...pass, onBroken, among: values.in, top: values.top });
    process.stdout.write(
      values.json
        ? `${JSON.stringify(found, null, 2)}\n`
        : found.map(({ file, similarity }) => `${similarity.toFixed(4)}  ${file}\n`).join(''),
    );
  });
}

interface Work {
  /** Shows the progress of a pass, and ends it at Ctrl-C. */
  readonly pass: EmbeddingOptions;
  readonly say: (line: string) => void;
}

async function withEmbedder(
  path: string,
  { features, device, precision, threads }: Values,
  action: (embedder: Embedder, work: Work) => Promise<void>,
): Promise<void> {
  const notices = noticesTo(process.stderr);
  const interruption = onInterruption();
  let progress: ReturnType<typeof progressOver> | undefined;
  const endProgress = () => {
    progress?.stop();
    progress = undefined;
  };
  const say = (line: string) => {
    endProgress();
    notices.onNotice?.(line);
  };
  let begin = 0;
  const pass: EmbeddingOptions = {
    onImage: ({ done, total }) => {
      if (!progress) {
        progress = progressOver(total - done + 1);
        begin = performance.now() - 1;
      }
      progress.step(done / ((performance.now() - begin) / 1000));
    },
    onBroken: (_, reason) => say(`warning: ${reason}`),
    signal: interruption.signal,
  };
  let embedder: Embedder | undefined;
  try {
    embedder = await loadEmbedder(path, { features, device, precision, threads, ...notices, onNotice: say });
    await action(embedder, { pass, say });
  } catch (error) {
    interruption.throwIfInterrupted(
      'interrupted; features that were computed are kept, and the same command continues',
    );
    throw error;
  } finally {
    endProgress();
    interruption.end();
    notices.end();
    await embedder?.close();
  }
}

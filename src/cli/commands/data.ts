/** `inception data check`: what is wrong with a folder of images, before anybody trains on it. */
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { checkData } from '../../check/check-data.ts';
import { drawCheckPage } from '../../check/check-page.ts';
import { openModel } from '../../predict/open-model.ts';
import { modelArgument } from '../options/model-options.ts';
import { dataCheckText } from '../output/data-check-text.ts';
import { progressOver } from '../output/image-progress.ts';
import { onInterruption } from '../signals.ts';

interface Values {
  readonly model?: string;
  readonly html?: string;
  readonly json?: boolean;
}

/** Of every network, unless a model says otherwise. */
const usualSize = [299, 299] as const;

export function addData(program: Command): void {
  const data = program.command('data').description('look at a data set');
  data
    .command('check')
    .description(
      'count and check the images: classes, sizes, undecodable files, identical and nearly identical images within and across splits',
    )
    .argument('<data>', "'fashion-mnist' or a folder of class folders, or of train, val and test")
    .option('--model <model>', `compare sizes with its input: ${modelArgument}`)
    .option('--html <file>', 'also write a page with thumbnails')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Findings are no failure: the exit code is 1 only if nothing can be used.

Examples:
  inception data check photos
  inception data check photos --html photos.html
  inception data check photos --model runs/photos --json`,
    )
    .action(run);
}

async function run(source: string, { model, html, json }: Values): Promise<void> {
  const inputSize = model === undefined ? usualSize : await inputSizeOf(model);
  const interruption = onInterruption();
  let progress: ReturnType<typeof progressOver> | undefined;
  const begin = performance.now();
  let done = 0;
  try {
    const checked = await checkData(source, {
      inputSize,
      signal: interruption.signal,
      onStart: (images) => {
        progress = progressOver(images, { counted: 'images' });
      },
      onImage: () => progress?.step(++done / ((performance.now() - begin) / 1000)),
    });
    progress?.stop();
    interruption.throwIfInterrupted('interrupted; nothing was written');
    if (html !== undefined) await writeFile(html, await drawCheckPage(checked));
    process.stdout.write(
      json ? `${JSON.stringify(checked.check, null, 2)}\n` : `${dataCheckText(checked.check)}\n`,
    );
    if (html !== undefined) process.stderr.write(`page: ${html}\n`);
  } finally {
    progress?.stop();
    interruption.end();
  }
}

async function inputSizeOf(path: string): Promise<readonly [number, number]> {
  const model = await openModel(path);
  await model.close();
  return model.description.preprocessing.size;
}

/** `inception data check`: what is wrong with a folder of images, before anybody trains on it, and which labels a trained network doubts. */
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type Checked, checkData } from '../../check/check-data.ts';
import { checkLabels } from '../../check/check-labels.ts';
import { drawCheckPage } from '../../check/check-page.ts';
import { labelsRecord } from '../../check/labels-record.ts';
import { UsageError } from '../../errors.ts';
import { runFiles } from '../../model/run-layout.ts';
import { replaceText } from '../../replace-file.ts';
import { type Judge, openJudge } from '../open-judge.ts';
import { noticesTo, predictingArgument } from '../options/model-options.ts';
import { dataCheckText } from '../output/data-check-text.ts';
import { progressOver } from '../output/image-progress.ts';
import { type Interruption, onInterruption } from '../signals.ts';
import { addDataInfo } from './data/info.ts';
import { addDataPack } from './data/pack.ts';

interface Values {
  readonly model?: string;
  readonly html?: string;
  readonly json?: boolean;
}

/** Of every network, unless a model says otherwise. */
const usualSize = [299, 299] as const;

export function addData(program: Command): void {
  const data = program.command('data').description('look at a data set, or write it as shards');
  data
    .command('check')
    .description(
      'count and check the images: classes, sizes, undecodable files, identical and nearly identical images within and across splits',
    )
    .argument(
      '<data>',
      "'fashion-mnist', a folder of class folders, or of train, val and test, shards ('train-{0000..0146}.tar') or TFRecord files",
    )
    .option(
      '--model <model>',
      `also rank the images whose label is probably wrong, by a trained model: ${predictingArgument}`,
    )
    .option('--html <file>', 'also write a page with thumbnails')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Findings are no failure: the exit code is 1 only if nothing can be used.

Examples:
  inception data check photos
  inception data check photos --html photos.html
  inception data check photos --model runs/photos`,
    )
    .action(run);
  addDataPack(data);
  addDataInfo(data);
}

async function run(source: string, { model: path, html, json }: Values): Promise<void> {
  const notices = noticesTo(process.stderr);
  const judge = path === undefined ? undefined : await openJudge(path, { source, ...notices });
  const interruption = onInterruption();
  try {
    const model = judge?.model;
    if (model?.description.classes.length === 0)
      throw new UsageError(`--model: ${model.source} has no classifier`);
    const checked = await look(source, { model, interruption, say: (line) => notices.onNotice?.(line) });
    process.stdout.write(
      json ? `${JSON.stringify(checked.check, null, 2)}\n` : `${dataCheckText(checked.check)}\n`,
    );
    if (html !== undefined) {
      await writeFile(html, await drawCheckPage(checked));
      process.stderr.write(`page: ${html}\n`);
    }
    if (path !== undefined && model && (await isRun(path))) {
      const file = join(path, runFiles.labels);
      await replaceText(file, `${JSON.stringify(await labelsRecord(checked, model.description.classes))}\n`);
      process.stderr.write(`labels: ${file}, for 'inception dashboard'\n`);
    }
  } finally {
    interruption.end();
    notices.end();
    await judge?.close();
  }
}

/** The check, and that of the labels where there is a model. */
async function look(
  source: string,
  {
    model,
    interruption,
    say,
  }: { model: Judge['model'] | undefined; interruption: Interruption; say: (line: string) => void },
): Promise<Checked> {
  const { signal } = interruption;
  let progress: ReturnType<typeof progressOver> | undefined;
  const begin = (images: number) => {
    progress?.stop();
    progress = progressOver(images, { counted: 'images' });
    const start = performance.now();
    let done = 0;
    return () => progress?.step(++done / ((performance.now() - start) / 1000));
  };
  try {
    let onImage: (() => void) | undefined;
    const checked = await checkData(source, {
      inputSize: model?.description.preprocessing.size ?? usualSize,
      signal,
      onStart: (images) => {
        onImage = begin(images);
      },
      onImage: () => onImage?.(),
    });
    const labels =
      model && !signal.aborted
        ? await checkLabels(checked, model, {
            signal,
            onImage: begin(checked.check.images),
            onNotice: (line) => {
              progress?.stop();
              say(line);
            },
          }).catch((error) => {
            if (signal.aborted) return undefined;
            throw error;
          })
        : undefined;
    progress?.stop();
    interruption.throwIfInterrupted('interrupted; nothing was written');
    return labels ? { ...checked, check: { ...checked.check, labels } } : checked;
  } finally {
    progress?.stop();
  }
}

const isRun = async (path: string): Promise<boolean> =>
  (await stat(join(path, runFiles.configuration)).catch(() => undefined)) !== undefined;

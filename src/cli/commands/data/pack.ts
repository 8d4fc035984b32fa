/** `inception data pack`: writes a data set as tar shards. */
import type { Command } from 'commander';
import type { Split } from '../../../data/dataset.ts';
import { type PackedSplit, packData } from '../../../data/pack/pack.ts';
import { UsageError } from '../../../errors.ts';
import { noticesTo } from '../../options/model-options.ts';
import { counted, grouped } from '../../output/format.ts';
import { progressOver } from '../../output/image-progress.ts';
import { onInterruption } from '../../signals.ts';
import { addOutput, numberIn, oneOf, wholeNumber } from '../../usage.ts';

interface Values {
  readonly output: string;
  readonly split?: 'train' | 'val' | 'test';
  readonly size: number;
  readonly shorterSide?: number;
  readonly quality?: number;
  readonly seed: number;
}

const usualQuality = 90;

export function addDataPack(data: Command): void {
  const command = data
    .command('pack')
    .description(
      'write a data set as tar shards (WebDataset): shuffled, each image once, with its label beside it',
    )
    .argument('<data>', "'fashion-mnist', a folder, shards or record files, as for --data");
  addOutput(command, {
    value: 'pattern',
    about: "the shards' names, with {} for their number and {split} for train, val or test",
  })
    .option(
      '--split <split>',
      'pack this split only: train, val or test',
      oneOf('--split', ['train', 'val', 'test']),
    )
    .option('--size <bytes>', 'of a shard, such as 500MB or 1GiB', parseBytes, parseBytes('500MB'))
    .option(
      '--shorter-side <pixels>',
      'make larger images smaller, in their own format; others are copied byte for byte',
      wholeNumber('--shorter-side'),
    )
    .option(
      '--quality <n>',
      `with --shorter-side: of JPEG, WebP and AVIF, 1 to 100 (default: ${usualQuality})`,
      numberIn('--quality', { whole: true, atLeast: 1, atMost: 100 }),
    )
    .option('--seed <n>', 'of the order', wholeNumber('--seed', 0), 1)
    .addHelpText(
      'after',
      `
A pack that was ended goes on with the same command. Training on it gives the very numbers that the folder gives.

Examples:
  inception data pack photos -o 'shards/{}.tar'
  inception data pack imagenet -o 'shards/{split}-{}.tar' --shorter-side 400
  inception data pack imagenet-records --split train -o 'shards/train-{}.tar' --size 1GB`,
    )
    .action(run);
  const size = command.options.find(({ long }) => long === '--size');
  if (size) size.defaultValueDescription = '500MB';
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
};

function parseBytes(text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(amount) * (units[unit.toUpperCase()] ?? Number.NaN));
  if (bytes >= 1000) return bytes;
  throw new UsageError(
    `--size: expected a size of at least 1000 bytes, such as 500MB or 1GiB, received '${text}'`,
  );
}

async function run(source: string, values: Values): Promise<void> {
  const { output, split, size, shorterSide, quality, seed } = values;
  if (quality !== undefined && shorterSide === undefined)
    throw new UsageError('--quality: has no effect without --shorter-side: images are copied byte for byte');
  const notices = noticesTo(process.stderr);
  const interruption = onInterruption();
  let progress: ReturnType<typeof progressOver> | undefined;
  let onImage = () => {};
  try {
    const packed = await packData(source, {
      output,
      split: split === 'val' ? 'validation' : (split as Split | undefined),
      maxBytes: size,
      seed,
      ...(shorterSide !== undefined && { shrinking: { shorterSide, quality: quality ?? usualQuality } }),
      signal: interruption.signal,
      onNotice: (line) => (progress ? progress.say(line) : notices.onNotice?.(line)),
      onStart: ({ images, done }) => {
        progress?.stop();
        progress = progressOver(images - done, { counted: 'images' });
        const begin = performance.now();
        let count = 0;
        onImage = () => progress?.step(++count / ((performance.now() - begin) / 1000));
      },
      onImage: () => onImage(),
    });
    progress?.stop();
    interruption.throwIfInterrupted(
      'interrupted; the shards that are whole are kept, and the same command goes on',
    );
    for (const line of packed.flatMap((each) =>
      packedLines(each, { shorterSide, quality: quality ?? usualQuality }),
    ))
      process.stdout.write(`${line}\n`);
  } finally {
    progress?.stop();
    interruption.end();
    notices.end();
  }
}

function packedLines(
  { name, images, shards, reencoded, undecodable }: PackedSplit,
  { shorterSide, quality }: { shorterSide: number | undefined; quality: number },
): string[] {
  const bytes = shards.reduce((sum, shard) => sum + shard.bytes, 0);
  const how =
    shorterSide === undefined
      ? 'copied byte for byte'
      : `${grouped(reencoded)} made smaller (shorter side ${shorterSide}, Lanczos, quality ${quality}), ${grouped(images - reencoded)} copied byte for byte`;
  const [first] = undecodable;
  return [
    `${name}: ${counted(images, 'image')} in ${counted(shards.length, 'shard')}, ${(bytes / 1e6).toFixed(1)} MB; ${how}`,
    ...(first
      ? [
          `${name}: left out ${counted(undecodable.length, 'image')} that cannot be decoded (${undecodable
            .slice(0, 3)
            .map(({ image }) => image)
            .join(', ')}${undecodable.length > 3 ? ', …' : ''})`,
        ]
      : []),
  ];
}

/** `inception data info`: what a data set holds, by its listing or index and the headers of some images. */
import type { Command } from 'commander';
import { describeClasses, describeLeftOut } from '../../../data/data-report.ts';
import {
  type DataInfo,
  describeData,
  type Quantiles,
  type SplitInfo,
} from '../../../data/info/describe-data.ts';
import { counted, grouped } from '../../output/format.ts';

export function addDataInfo(data: Command): void {
  data
    .command('info')
    .description('say what a data set holds: form, splits, classes, bytes, sizes; images are not decoded')
    .argument('<data>', "'fashion-mnist', a folder, shards or record files, as for --data")
    .option('--json', 'print JSON, with the images of every class')
    .addHelpText(
      'after',
      `
Examples:
  inception data info photos
  inception data info 'shards/train-{0000..0146}.tar'
  inception data info imagenet-records --json`,
    )
    .action(async (source: string, { json }: { json?: boolean }) => {
      const info = await describeData(source);
      process.stdout.write(json ? `${JSON.stringify(info, null, 2)}\n` : `${infoText(info)}\n`);
    });
}

export const infoText = ({ source, kind, splits }: DataInfo): string =>
  [`${source}: ${kind}`, ...splits.flatMap(splitLines)].join('\n');

function splitLines(split: SplitInfo): string[] {
  const { name, location, images, bytes, files, looked, first, leftOut, decisions } = split;
  const size = bytes === null ? '' : `, ${megabytes(bytes)} in ${counted(files ?? 0, 'file')}`;
  const formats = Object.entries(looked.formats).map(([format, count]) => `${grouped(count)} ${format}`);
  const [broken] = looked.unreadable;
  const left = describeLeftOut(location, leftOut);
  return [
    '',
    `${name}: ${counted(images, 'image')}${size} (${location})`,
    `  ${describeClasses({ ...split, name: location })}`,
    `  width ${spread(looked.width)}, height ${spread(looked.height)} (smallest, quartiles, largest of ${looked.images === images ? 'all' : `${grouped(looked.images)} images, evenly chosen`}: ${formats.join(', ')})`,
    `  first: ${first.join(', ')}`,
    ...(broken
      ? [`  ${counted(looked.unreadable.length, 'header')} of these cannot be read (${broken.reason})`]
      : []),
    ...(left === undefined ? [] : [`  ${left}`]),
    ...decisions.map((line) => `  ${line}`),
  ];
}

const spread = ([min, lower, median, upper, max]: Quantiles): string =>
  `${min} · ${lower} ${median} ${upper} · ${max}`;

/** 1234567 → 1.2 MB */
function megabytes(bytes: number): string {
  const [unit, size] = bytes >= 1e9 ? ['GB', 1e9] : bytes >= 1e6 ? ['MB', 1e6] : ['kB', 1e3];
  return `${(bytes / (size as number)).toFixed(1)} ${unit}`;
}

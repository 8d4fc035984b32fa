/** `report.md`, `report.html` and the figures of an experiment. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceText } from '../../replace-file.ts';
import type { Claim, ScaleName } from '../claim.ts';
import { nameOfData } from '../experiment-folder.ts';
import type { Machine } from '../records.ts';
import {
  type Block,
  commands,
  figuresFolder,
  heading,
  list,
  paragraph,
  type Report,
  toHtml,
  toMarkdown,
} from './blocks.ts';

export interface Setting {
  readonly scale: ScaleName;
  readonly seeds: number;
  /** Of the whole experiment, as it was given. */
  readonly command: string;
  readonly data?: string | undefined;
}

export interface Findings {
  readonly blocks: readonly Block[];
  /** Of each training or measurement. */
  readonly machines: readonly Machine[];
}

/** Of records and measurements alone: whoever has them writes the same report. */
export const reportOf = (claim: Claim, setting: Setting, { blocks, machines }: Findings): Report => ({
  title: claim.title,
  blocks: [
    { kind: 'quote', text: claim.quote, source: claim.where },
    paragraph(claim.varied),
    paragraph(claim.reduction),
    ...(setting.scale === 'smoke'
      ? [
          paragraph(
            'This is scale smoke, which tries the machinery out: its networks have learnt nothing, and its numbers mean nothing.',
          ),
        ]
      : []),
    commands([setting.command]),
    ...blocks,
    heading('Machine'),
    ...machineBlocks(setting, machines),
  ],
});

function machineBlocks({ scale, seeds, data }: Setting, machines: readonly Machine[]): readonly Block[] {
  const counts = new Map<string, number>();
  for (const { processor, device, precision, threads, libtorch } of machines) {
    const words = `${processor}${device === 'cpu' ? `, ${threads} ${threads === 1 ? 'thread' : 'threads'}` : ''}, ${precision}, libtorch ${libtorch}`;
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  return [
    list([
      `scale ${scale}, ${seeds} seeds${data === undefined ? '' : `, data ${nameOfData(data)}`}`,
      ...[...counts].map(([words, count]) => `${count} of ${machines.length}: ${words}`),
    ]),
    ...(counts.size > 1
      ? [
          paragraph(
            'Not everything ran on the same machine or in the same way. Another processor, precision or number of threads rounds differently, so that equal seeds give trainings that drift apart, as those of different seeds do; times of different machines cannot be compared.',
          ),
        ]
      : []),
  ];
}

/** @returns the files' paths, the Markdown first */
export async function writeReport(folder: string, report: Report): Promise<readonly string[]> {
  const figures = report.blocks.filter((block) => block.kind === 'figure');
  await mkdir(join(folder, figuresFolder), { recursive: true });
  for (const { file, svg } of figures) await replaceText(join(folder, figuresFolder, file), svg);
  const [markdown, html] = [join(folder, 'report.md'), join(folder, 'report.html')];
  await replaceText(markdown, toMarkdown(report));
  await replaceText(html, toHtml(report));
  return [markdown, html];
}

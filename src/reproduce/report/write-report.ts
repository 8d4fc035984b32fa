/** `report.md`, `report.html` and the figures of an experiment. */
import { mkdir } from 'node:fs/promises';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { EngineFacts } from '../../engine/engine.ts';
import { replaceText } from '../../replace-file.ts';
import { packageName, packageVersion } from '../../version.ts';
import type { Claim, ScaleName } from '../claim.ts';
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
  readonly facts: EngineFacts;
  readonly data?: string | undefined;
}

export const reportOf = (claim: Claim, setting: Setting, blocks: readonly Block[]): Report => ({
  title: claim.title,
  blocks: [
    { kind: 'quote', text: claim.quote, source: claim.where },
    paragraph(claim.varied),
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
    list(machineOf(setting)),
  ],
});

function machineOf({ scale, seeds, facts, data }: Setting): string[] {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return [
    `scale ${scale}, ${seeds} seeds${data === undefined ? '' : `, data ${data}`}`,
    `${model}, ${availableParallelism()} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${platform()} ${release()} ${arch()}`,
    `${facts.device}: ${facts.hardware}; libtorch ${facts.libtorch}; Node.js ${process.versions.node}; ${packageName} ${packageVersion}`,
    `report written ${new Date().toISOString().slice(0, 16)}Z`,
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

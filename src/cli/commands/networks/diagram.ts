/** `inception diagram`: draws a network's figures from its definition. */
import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Command } from 'commander';
import { pngOfSvg } from '../../../data/decode.ts';
import { drawText } from '../../../data/draw-text.ts';
import { type DiagramOptions, diagramSheet } from '../../../diagram/diagram.ts';
import { pdfOf } from '../../../diagram/pdf.ts';
import type { Sheet } from '../../../diagram/sheet.ts';
import { svgOf } from '../../../diagram/svg.ts';
import { UsageError } from '../../../errors.ts';
import { replaceFile } from '../../../replace-file.ts';
import { networkArgument, readConfigured } from '../../network-argument.ts';
import { addNetworkOptions, readNetworkOptions } from '../../options/network-options.ts';
import { addOutput, oneOf } from '../../usage.ts';

type Values = Record<string, unknown> & DiagramOptions & { output: string };

/** Of a .png, in pixels for each pixel of the drawing. */
const pngScale = 2;

export function addDiagram(program: Command): void {
  const command = program
    .command('diagram')
    .description("draw a network like the paper's figures, as SVG, PNG or PDF")
    .argument('<network>', networkArgument);
  addOutput(command, {
    value: 'file',
    about: "a file that ends in .svg, .png or .pdf, or '-' for SVG on standard output",
  })
    .option('--part <key>', 'one part alone: inceptionA (default: the overall schema and every part)')
    .option(
      '--direction <direction>',
      "down, or up as in the paper, with the input at the bottom (default: 'down')",
      oneOf('--direction', ['down', 'up'] as const),
    )
    .option('--costs', 'output shape, parameters and multiply-adds in every box');
  addNetworkOptions(command)
    .addHelpText(
      'after',
      `
Numbers at boxes are notes: where the drawing departs from the paper's print, and why.

Examples:
  inception diagram inception-v4 -o inception-v4.svg
  inception diagram inception-resnet-v2 --part inceptionResnetB --direction up --costs -o figure-17.pdf`,
    )
    .action(run);
}

async function run(name: string, values: Values): Promise<void> {
  const { output, part, direction, costs } = values;
  const write = output === '-' ? undefined : writers[extname(output).toLowerCase()];
  if (output !== '-' && !write)
    throw new UsageError(
      `--output: expected a file that ends in .svg, .png or .pdf, or '-', received '${output}'`,
    );
  const network = await readConfigured(name, readNetworkOptions(values));
  const sheet = diagramSheet(network, {
    ...(part !== undefined && { part }),
    ...(direction !== undefined && { direction }),
    ...(costs !== undefined && { costs }),
  });
  if (!write) {
    process.stdout.write(svgOf(sheet));
    return;
  }
  const bytes = await write(sheet, output);
  await replaceFile(output, (temporary) => writeFile(temporary, bytes));
}

const writers: Readonly<Record<string, (sheet: Sheet, output: string) => Promise<string | Uint8Array>>> = {
  '.svg': async (sheet) => svgOf(sheet),
  '.pdf': async (sheet) => pdfOf(sheet),
  '.png': async (sheet, output) => {
    const { ink } = await drawText('Input', { size: 13, width: 100 });
    if (!ink.some((value) => value > 0))
      throw new UsageError(
        `${output}: no font is installed here (fontconfig finds none), so the boxes would be empty; install one, as fonts-dejavu-core, or write an .svg or a .pdf`,
      );
    return await pngOfSvg(svgOf(sheet, { onlyLight: true }), { density: 96 * pngScale });
  },
};

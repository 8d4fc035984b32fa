/** `inception diagram`: draws a network's figures from its definition. */
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { drawDiagram } from '../../../diagram/diagram.ts';
import { networkArgument, readConfigured } from '../../network-argument.ts';
import { addNetworkOptions, readNetworkOptions } from '../../options/network-options.ts';
import { addOutput } from '../../usage.ts';

export function addDiagram(program: Command): void {
  const command = program
    .command('diagram')
    .description("draw a network like the paper's figures, as SVG")
    .argument('<network>', networkArgument);
  addOutput(command, { value: 'file', about: "an SVG file, or '-' for standard output" });
  addNetworkOptions(command)
    .addHelpText('after', '\nExample:\n  inception diagram inception-v4 -o inception-v4.svg')
    .action(async (name: string, values: Record<string, unknown> & { output: string }) => {
      const svg = drawDiagram(await readConfigured(name, readNetworkOptions(values)));
      if (values.output === '-') process.stdout.write(svg);
      else await writeFile(values.output, svg);
    });
}

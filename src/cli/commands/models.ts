/** `inception models`: the networks, what they cost, and what the paper measured. */
import Table from 'cli-table3';
import type { Command } from 'commander';
import pc from 'picocolors';
import { buildGraph, smallestInput } from '../../graph/build-graph.ts';
import { costsOf } from '../../graph/costs.ts';
import { configure, networks } from '../../networks/networks.ts';
import type { Errors } from '../../networks/notation.ts';
import { short } from '../format.ts';

export function addModels(program: Command): void {
  program
    .command('models')
    .description('the networks, their costs and published errors')
    .option('--json', 'print JSON')
    .action(({ json }: { json?: boolean }) => {
      const rows = networks.map((network) => {
        const configured = configure(network);
        const { parameters, macs } = costsOf(buildGraph(configured));
        const { name, about, published } = network;
        return { name, about, parameters, macs, minimumInput: smallestInput(configured), published };
      });
      process.stdout.write(json ? `${JSON.stringify(rows, null, 2)}\n` : text(rows));
    });
}

interface Row {
  readonly name: string;
  readonly about: string;
  readonly parameters: number;
  readonly macs: number;
  readonly minimumInput: number;
  readonly published?: (typeof networks)[number]['published'];
}

const errors = (pair: Errors | undefined): string =>
  pair ? `${pair[0].toFixed(1)} / ${pair[1].toFixed(1)}` : '–';

function text(rows: readonly Row[]): string {
  const table = new Table({
    head: ['network', 'parameters', 'MACs', 'single crop', '144 crops'].map((title) => pc.bold(title)),
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, parameters, macs, published } of rows) {
    table.push([
      name,
      short(parameters),
      short(macs),
      errors(published?.singleCrop),
      errors(published?.crops144),
    ]);
  }
  const abouts = rows.map(({ name, about }) => `  ${pc.bold(name.padEnd(28))} ${about}`);
  const minimum = Math.max(...rows.map(({ minimumInput }) => minimumInput));
  return `${table.toString()}
Costs at 299×299 and 1000 classes. Errors: top-1 / top-5 in percent on ILSVRC 2012 validation, as the paper prints
them (single crop: on the non-blacklisted subset). The paper's text and errors for Inception-ResNet-v2 belong to the
released network; figure 15 draws fewer blocks.

${abouts.join('\n')}

Options of every network: --classes, --input-size (from ${minimum} pixels), --width, --blocks, --residual-scale, --auxiliary,
--dropout-keep; 'inception summary --help' explains them.
`;
}

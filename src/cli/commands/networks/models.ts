/** `inception models`: the networks with their costs and the paper's errors. */
import Table from 'cli-table3';
import { type Command, Help } from 'commander';
import { buildGraph, smallestInput } from '../../../graph/build-graph.ts';
import { costsOf } from '../../../graph/costs.ts';
import { networkOptions } from '../../../networks/network-options.ts';
import { configure, networks } from '../../../networks/networks.ts';
import type { Errors } from '../../../networks/notation.ts';
import type { Option } from '../../../option.ts';
import { aboutOf } from '../../options/declared-options.ts';
import { colours } from '../../output/colours.ts';
import { short } from '../../output/format.ts';

export function addModels(program: Command): void {
  program
    .command('models')
    .description('list the networks with their costs and published errors')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  inception models\n  inception models --json')
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

function optionList(): string {
  const entries = Object.values(networkOptions) as Option<unknown>[];
  const help = new Help();
  help.prepareContext({ helpWidth: 80 });
  const widest = Math.max(...entries.map(({ flag }) => flag.length));
  return entries.map((option) => help.formatItem(option.flag, widest, aboutOf(option), help)).join('\n');
}

function text(rows: readonly Row[]): string {
  const table = new Table({
    head: ['network', 'parameters', 'MACs', 'min. input', '1 crop', '144 crops'].map((title) =>
      colours.bold(title),
    ),
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, parameters, macs, minimumInput, published } of rows) {
    table.push([
      name,
      short(parameters),
      short(macs),
      `${minimumInput}×${minimumInput}`,
      errors(published?.singleCrop),
      errors(published?.crops144),
    ]);
  }
  const abouts = rows.map(({ name, about }) => `${colours.bold(name)}\n  ${about}`);
  return `${table.toString()}
Costs at 299×299 and 1000 classes; min. input is the smallest that works.
Errors: top-1 / top-5 in percent on ILSVRC 2012 validation as the paper prints
them (1 crop: on the non-blacklisted subset). Those of Inception-ResNet-v2
belong to the released network; figure 15 draws fewer blocks.

${abouts.join('\n')}

Options of every network:
${optionList()}
`;
}

/** `inception summary`: the parts of a network with shapes and costs. */
import Table from 'cli-table3';
import type { Command } from 'commander';
import { buildGraph } from '../../../graph/build-graph.ts';
import { costsOf, type LayerSummary, summariseLayers, summariseParts } from '../../../graph/costs.ts';
import { formatShape, type Graph } from '../../../graph/graph.ts';
import type { NetworkOptions } from '../../../networks/networks.ts';
import { networkArgument, readConfigured } from '../../network-argument.ts';
import { addNetworkOptions, readNetworkOptions } from '../../options/network-options.ts';
import { colours } from '../../output/colours.ts';
import { grouped, short } from '../../output/format.ts';

type Values = Record<string, unknown> & { layers?: boolean; json?: boolean };

export function addSummary(program: Command): void {
  const command = program
    .command('summary')
    .description("print a network's parts with shapes, parameters and multiply-adds")
    .argument('<network>', networkArgument)
    .option('--layers', 'list every layer instead of the parts')
    .option('--json', 'print JSON');
  addNetworkOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  inception summary inception-v4\n  inception summary inception-resnet-v2 --width 0.25 --blocks 1,2,1 --input-size 75 --layers',
    )
    .action(async (name: string, values: Values) => {
      const options = readNetworkOptions(values);
      const graph = buildGraph(await readConfigured(name, options));
      process.stdout.write(values.json ? json(graph, options) : text(graph, values.layers ?? false));
    });
}

function json(graph: Graph, options: NetworkOptions): string {
  const { network } = graph;
  const summary = {
    network: network.name,
    options,
    input: network.input,
    ...costsOf(graph),
    outputShape: [network.classes],
    layers: summariseLayers(graph),
  };
  return `${JSON.stringify(summary, null, 2)}\n`;
}

const barWidth = 12;

function text(graph: Graph, layers: boolean): string {
  const rows = layers ? summariseLayers(graph) : summariseParts(graph);
  const total = costsOf(graph);
  const largest = Math.max(...rows.map(({ macs }) => macs));
  const { network } = graph;
  const table = new Table({
    head: [layers ? 'layer' : 'part', 'output', 'parameters', 'MACs', layers ? '%' : '% of MACs'].map(
      (title) => colours.bold(title),
    ),
    colAligns: ['left', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  });
  table.push(['input', formatShape(network.input), '', '', '']);
  for (const { name, what, shape, parameters, macs } of rows as readonly LayerSummary[]) {
    const fraction = macs / total.macs;
    const bar = '█'.repeat(Math.round((macs / largest) * barWidth)) || '▏';
    const percentage = `${(fraction * 100).toFixed(1).padStart(4)}%`;
    // Layers have long names: without bars the table fits 100 columns.
    const cost = layers ? percentage : `${colours.cyan(bar.padEnd(barWidth))} ${percentage}`;
    const label = what === undefined ? name : `${name}  ${colours.dim(what)}`;
    table.push([
      label,
      formatShape(shape),
      parameters > 0 ? grouped(parameters) : '',
      macs > 0 ? short(macs) : '',
      macs > 0 ? cost : '',
    ]);
  }
  const auxiliary = network.auxiliary ? ', with the auxiliary classifier' : '';
  return `${colours.bold(network.name)}
${network.about}${auxiliary}
${table.toString()}
${grouped(total.parameters)} parameters, ${short(total.macs)} multiply-adds, ${short(total.activations)} activations for one image
`;
}

/** `inception summary`: the parts of a network with shapes and costs. */
import Table from 'cli-table3';
import type { Command } from 'commander';
import { UsageError } from '../../../errors.ts';
import { buildGraph } from '../../../graph/build-graph.ts';
import { costsOf, type LayerSummary, summariseLayers, summariseParts } from '../../../graph/costs.ts';
import { formatShape, type Graph } from '../../../graph/graph.ts';
import {
  type FieldAxis,
  fieldOfUnit,
  outputNode,
  type ReceptiveField,
  receptiveFields,
} from '../../../graph/receptive-fields.ts';
import type { NetworkOptions } from '../../../networks/networks.ts';
import { networkArgument, readConfigured } from '../../network-argument.ts';
import { addNetworkOptions, readNetworkOptions } from '../../options/network-options.ts';
import { colours } from '../../output/colours.ts';
import { grouped, short } from '../../output/format.ts';

type Values = Record<string, unknown> & { layers?: boolean; receptiveFields?: boolean; json?: boolean };

export function addSummary(program: Command): void {
  const command = program
    .command('summary')
    .description("print a network's parts with shapes, parameters and multiply-adds")
    .argument('<network>', networkArgument)
    .option('--layers', 'list every layer instead of the parts')
    .option('--receptive-fields', 'print which pixels a unit of each part depends on, instead of the costs')
    .option('--json', 'print JSON: every layer with its costs and receptive field');
  addNetworkOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  inception summary inception-v4\n  inception summary inception-resnet-v2 --width 0.25 --blocks 1,2,1 --input-size 75 --layers\n  inception summary inception-v4 --receptive-fields',
    )
    .action(async (name: string, values: Values) => {
      const options = readNetworkOptions(values);
      const graph = buildGraph(await readConfigured(name, options));
      if (values.json) {
        refuseWithJson(values);
        process.stdout.write(json(graph, options));
        return;
      }
      const rows = values.layers ? summariseLayers(graph) : summariseParts(graph);
      const context = { graph, rows, title: values.layers ? 'layer' : 'part' };
      process.stdout.write(values.receptiveFields ? fieldsText(context) : costsText(context));
    });
}

function refuseWithJson(values: Values): void {
  for (const name of ['layers', 'receptiveFields'] as const) {
    if (values[name])
      throw new UsageError(
        `--${name === 'layers' ? 'layers' : 'receptive-fields'}: has no effect with --json, which prints every layer with everything known of it`,
      );
  }
}

function json(graph: Graph, options: NetworkOptions): string {
  const { network } = graph;
  const fields = receptiveFields(graph);
  const summary = {
    network: network.name,
    options,
    input: network.input,
    ...costsOf(graph),
    outputShape: [network.classes],
    layers: summariseLayers(graph).map((layer) => ({
      ...layer,
      receptiveField: fields[outputNode(graph, layer.name)?.id ?? -1],
    })),
  };
  return `${JSON.stringify(summary, null, 2)}\n`;
}

const barWidth = 12;

interface TextContext {
  readonly graph: Graph;
  readonly rows: readonly LayerSummary[];
  /** Of the first column. */
  readonly title: string;
}

const heading = ({ network }: Graph): string =>
  `${colours.bold(network.name)}\n${network.about}${network.auxiliary ? ', with the auxiliary classifier' : ''}`;

const labelOf = ({ name, what }: LayerSummary): string =>
  what === undefined ? name : `${name}  ${colours.dim(what)}`;

const tableOf = (titles: readonly string[]) =>
  new Table({
    head: titles.map((title) => colours.bold(title)),
    colAligns: ['left', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  });

function costsText({ graph, rows, title }: TextContext): string {
  const total = costsOf(graph);
  const largest = Math.max(...rows.map(({ macs }) => macs));
  // Layers have long names: without bars the table fits 100 columns.
  const bars = title === 'part';
  const table = tableOf([title, 'output', 'parameters', 'MACs', bars ? '% of MACs' : '%']);
  table.push(['input', formatShape(graph.network.input), '', '', '']);
  for (const row of rows) {
    const { shape, parameters, macs } = row;
    const fraction = macs / total.macs;
    const bar = '█'.repeat(Math.round((macs / largest) * barWidth)) || '▏';
    const percentage = `${(fraction * 100).toFixed(1).padStart(4)}%`;
    const cost = bars ? `${colours.cyan(bar.padEnd(barWidth))} ${percentage}` : percentage;
    table.push([
      labelOf(row),
      formatShape(shape),
      parameters > 0 ? grouped(parameters) : '',
      macs > 0 ? short(macs) : '',
      macs > 0 ? cost : '',
    ]);
  }
  return `${heading(graph)}
${table.toString()}
${grouped(total.parameters)} parameters, ${short(total.macs)} multiply-adds, ${short(total.activations)} activations for one image
`;
}

function fieldsText({ graph, rows, title }: TextContext): string {
  const fields = receptiveFields(graph);
  const [height, width] = graph.network.input;
  const table = tableOf([title, 'field', 'stride', 'start', 'of image']);
  for (const row of rows) {
    const node = outputNode(graph, row.name);
    if (!node) continue;
    const field = fields[node.id] as ReceptiveField;
    const unit = { row: Math.floor(node.shape[0] / 2), column: Math.floor(node.shape[1] / 2) };
    const { top, left, bottom, right } = fieldOfUnit(graph, node.id, unit);
    const share = ((bottom - top + 1) * (right - left + 1)) / (height * width);
    table.push([
      labelOf(row),
      both(field, ({ size }) => size),
      // A grid of one unit has no neighbour.
      node.shape[0] * node.shape[1] === 1 ? '' : both(field, ({ stride }) => stride),
      both(field, ({ start }) => start),
      `${(share * 100).toFixed(share < 0.1 ? 2 : 1).padStart(5)}%`,
    ]);
  }
  return `${heading(graph)}
${table.toString()}
Pixels of the image that one unit of the output depends on. The field of unit 0 starts at the pixel
given (before 0: in the padding), the next ones a stride further each. Of image, ${height}×${width}: what the
unit in the middle depends on.
`;
}

/** One number for both directions where they are equal; height × width otherwise. */
function both({ vertical, horizontal }: ReceptiveField, number: (axis: FieldAxis) => number): string {
  if (!vertical || !horizontal) return 'uneven';
  const [down, across] = [number(vertical), number(horizontal)];
  return down === across ? String(down) : `${down}×${across}`;
}

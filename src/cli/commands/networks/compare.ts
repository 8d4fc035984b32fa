/** `inception compare`: where two networks differ, block by block. */
import type { Command } from 'commander';
import { buildGraph } from '../../../graph/build-graph.ts';
import { compareGraphs, type PartDifference } from '../../../graph/compare-graphs.ts';
import { costsOf } from '../../../graph/costs.ts';
import type { Graph } from '../../../graph/graph.ts';
import { configure, knownNetworks } from '../../../networks/networks.ts';
import { openModel } from '../../../predict/open-model.ts';
import { isNetworkFile, readNetwork } from '../../network-argument.ts';
import { colours } from '../../output/colours.ts';
import { grouped, short } from '../../output/format.ts';

export function addCompare(program: Command): void {
  program
    .command('compare')
    .description('show where two networks, or the networks of two models, differ')
    .argument('<first>', "a network of 'inception models', or a model")
    .argument('<second>', 'the network or model to compare with')
    .option('--all', 'also list the parts that are the same')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  inception compare inception-resnet-v2 inception-resnet-v2-released
  inception compare runs/photos inception-v4`,
    )
    .action(run);
}

async function run(
  first: string,
  second: string,
  { all, json }: { all?: boolean; json?: boolean },
): Promise<void> {
  const graphs = [await open(first), await open(second)] as const;
  const differences = compareGraphs(...graphs);
  if (json) {
    const sides = graphs.map((graph) => ({ network: graph.network.name, ...costsOf(graph) }));
    process.stdout.write(
      `${JSON.stringify({ first: sides[0], second: sides[1], parts: differences }, null, 2)}\n`,
    );
    return;
  }
  const head = [first, second].map((name, side) => {
    const { parameters, macs } = costsOf(graphs[side] as Graph);
    return `${side === 0 ? '−' : '+'} ${name}: ${grouped(parameters)} parameters, ${short(macs)} multiply-adds`;
  });
  const shown = differences.filter(({ kind }) => all || kind !== 'same');
  const body =
    shown.length === 0 ? ['no difference'] : [...shown.flatMap(describe), '', countsOf(differences)];
  process.stdout.write(`${[...head, '', ...body].join('\n')}\n`);
}

async function open(name: string): Promise<Graph> {
  if (knownNetworks().some((network) => network.name === name) || isNetworkFile(name))
    return buildGraph(configure(await readNetwork(name)));
  const model = await openModel(name);
  await model.close();
  return model.graph;
}

/** Equal neighbouring blocks count as one part, as they are listed. */
function countsOf(parts: readonly PartDifference[]): string {
  const count = (kind: PartDifference['kind']) => parts.filter((part) => part.kind === kind).length;
  const only = count('only in the first') + count('only in the second');
  return `of ${parts.length} parts, ${count('differs')} differ in kind, ${only} are in one network only, ${count('follows')} have the same layers at other sizes, ${count('same')} are the same`;
}

function describe({ name, kind, first, second, layers }: PartDifference): string[] {
  if (kind === 'same') return [`  ${name}  ${colours.dim(`the same: ${first}`)}`];
  if (kind === 'follows')
    return [
      `  ${name}  ${colours.dim('the same layers at other sizes, which follow from earlier parts')}`,
      colours.dim(`    − ${first}`),
      colours.dim(`    + ${second}`),
    ];
  const lines = [colours.bold(`  ${name}`)];
  if (first !== second || layers.length === 0) {
    if (first !== undefined) lines.push(colours.red(`    − ${first}`));
    if (second !== undefined) lines.push(colours.green(`    + ${second}`));
  }
  return [...lines, ...layers.map((layer) => `      ${layer.replace(' | ', colours.dim('  →  '))}`)];
}

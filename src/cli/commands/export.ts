/** `inception export` and `inception convert`: models under the names and in the layout of other ecosystems. */
import Table from 'cli-table3';
import type { Command } from 'commander';
import { type ExportReport, exportWeights } from '../../model/export-weights.ts';
import { openModel } from '../../model/open-model.ts';
import { type DialectName, dialectNames } from '../../weights/dialects.ts';
import { grouped } from '../format.ts';
import { modelArgument, noticesTo } from '../model-options.ts';
import { oneOf } from '../usage.ts';

interface Values {
  to: DialectName;
  output: string;
  report?: boolean;
  json?: boolean;
}

export function addExport(program: Command): void {
  program
    .command('export')
    .alias('convert')
    .description("write a model's weights under the names of another ecosystem")
    .argument('<model>', modelArgument)
    .requiredOption('--to <dialect>', dialectNames.join(', '), oneOf('--to', dialectNames))
    .requiredOption(
      '-o, --output <file>',
      "a .safetensors file; with --to timm a folder ('out/') also gets the config.json that timm loads",
    )
    .option('--report', 'print what every tensor became')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
A file of another ecosystem is converted directly: 'convert' is the same command.

Examples:
  inception export runs/photos --to timm -o photos-timm/
  inception convert inception_v4.ckpt --to timm -o inception_v4.safetensors --report`,
    )
    .action(run);
}

async function run(path: string, { to, output, report, json }: Values): Promise<void> {
  const notices = noticesTo(process.stderr);
  const model = await openModel(path, notices);
  try {
    const result = await exportWeights(model, { to, output });
    if (json) {
      process.stdout.write(
        `${JSON.stringify({ network: model.description.network, to, ...result }, null, 2)}\n`,
      );
      return;
    }
    const { network } = model.description;
    process.stdout.write(
      `${report ? exportReport(result) : ''}${model.source}, ${network}: ${grouped(result.parameters.length)} tensors as ${to}'s in ${result.files.join(' and ')}\n`,
    );
  } finally {
    notices.end();
    await model.close();
  }
}

function exportReport({ parameters }: ExportReport): string {
  const table = new Table({
    head: ['parameter', 'becomes', 'shape', 'note'],
    style: { head: [], border: [], compact: true },
  });
  for (const { parameter, to, shape, note } of parameters)
    table.push([parameter, to, shape.join('×'), note ?? '']);
  return `${table.toString()}\n`;
}

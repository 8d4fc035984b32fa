/** `inception export-metrics`: what runs have measured, as a table. */
import type { Command } from 'commander';
import { replaceText } from '../../replace-file.ts';
import { exportMetrics, metricsFormat } from '../../train/events/metrics-table.ts';

export function addExportMetrics(program: Command): void {
  program
    .command('export-metrics')
    .description('write the metrics of training runs as CSV or JSON, for other tools')
    .argument('<run...>', 'run folders')
    .option(
      '-o, --output <file>',
      'file to write: .csv, .json or .jsonl (default: CSV on the standard output)',
    )
    .addHelpText(
      'after',
      `
A row for each line of metrics.jsonl: its kind (train, evaluation or test), step, epoch and everything that was measured. A value that
a line does not have is empty in CSV. TensorBoard needs no export: 'tensorboard --logdir runs' reads the run folders as they are.

Examples:
  inception export-metrics runs/photos -o photos.csv
  inception export-metrics runs/* -o runs.jsonl`,
    )
    .action(async (runs: readonly string[], { output }: { readonly output?: string }) => {
      const text = await exportMetrics(runs, {
        format: output === undefined ? 'csv' : metricsFormat(output),
        onWarning: (message) => process.stderr.write(`${message}\n`),
      });
      if (output === undefined) process.stdout.write(text);
      else await replaceText(output, text);
    });
}

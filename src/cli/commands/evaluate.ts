/** `inception evaluate`: the errors of a model on labelled pictures, with the protocol that they were measured by. */
import type { Command } from 'commander';
import { openData, take } from '../../data/open-data.ts';
import { describeProtocol } from '../../data/preprocess.ts';
import { type Score, score } from '../../evaluate/score.ts';
import { RunError } from '../../train/configuration.ts';
import { loadModel } from '../../train/load-model.ts';
import { confusionTable } from '../confusion-table.ts';
import { addEngineOptions, choosePrecision, type EngineOptions, openEngine } from '../engine-options.ts';
import { grouped, percent } from '../format.ts';
import { wholeNumber } from '../usage.ts';

type Values = EngineOptions & {
  data?: string;
  batch: number;
  limit?: number;
  confusion?: boolean;
  json?: boolean;
};

export function addEvaluate(program: Command): void {
  addEngineOptions(
    program
      .command('evaluate')
      .description('top-1 and top-5 error of a trained model')
      .argument('<model>', 'a run folder or its model.safetensors')
      .option('--data <data>', "'fashion-mnist', or a folder of class folders (default: the run's own)")
      .option('--batch <n>', 'pictures at a time', wholeNumber('--batch'), 64)
      .option('--limit <n>', 'use so many pictures only', wholeNumber('--limit'))
      .option('--confusion', 'print the confusion matrix')
      .option('--json', 'print JSON'),
  )
    .addHelpText('after', '\nExample:\n  inception evaluate runs/fashion --data fashion-mnist --confusion')
    .action(run);
}

async function run(path: string, values: Values): Promise<void> {
  const engine = await openEngine(values);
  try {
    const precision = choosePrecision(values.precision, engine);
    const { configuration, source, predictor } = await loadModel(path, {
      engine,
      batch: values.batch,
      precision,
    });
    const whole = await openData(values.data ?? configuration.data, 'test');
    const dataset = values.limit === undefined ? whole : take(whole, values.limit);
    if (dataset.classes.length !== configuration.classes.length) {
      throw new RunError(
        `${dataset.name} has ${dataset.classes.length} classes, ${source} has ${configuration.classes.length}`,
      );
    }
    const { preprocessing } = configuration;
    const result = await score(dataset, predictor, { preprocessing });
    const about = {
      model: source,
      network: configuration.network,
      data: dataset.name,
      protocol: describeProtocol(preprocessing),
      precision,
      libtorch: engine.facts.libtorch,
    };
    if (values.json) {
      process.stdout.write(`${JSON.stringify({ ...about, ...result, classes: dataset.classes }, null, 2)}\n`);
      return;
    }
    process.stdout.write(
      text(result, about, { classes: dataset.classes, confusion: values.confusion ?? false }),
    );
  } finally {
    await engine.close();
  }
}

function text(
  result: Score,
  about: Record<string, string>,
  { classes, confusion }: { classes: readonly string[]; confusion: boolean },
): string {
  const lines = Object.entries(about).map(([key, value]) => `${key.padEnd(9)} ${value}`);
  if (confusion) lines.push('', confusionTable(result.confusion, classes));
  const { count, loss, top1Error, top5Error } = result;
  lines.push('', `loss ${loss.toFixed(4)} nats, ${grouped(count)} pictures`);
  lines.push(`top-1 error ${percent(top1Error)}, top-5 error ${percent(top5Error)}`);
  return `${lines.join('\n')}\n`;
}

/** `inception probe`: a new classifier on a model's features, solved instead of trained. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { runFiles } from '../../../model/run-layout.ts';
import { networkOptions } from '../../../networks/network-options.ts';
import { runNumbers } from '../../../train/configuration/run-options.ts';
import { probe } from '../../../train/probe/start-probe.ts';
import { recipeNumbers } from '../../../train/recipe/recipe-options.ts';
import { addDeclared, readDeclared } from '../../options/declared-options.ts';
import { addEngineOptions, type EngineOptions } from '../../options/engine-options.ts';
import { modelArgument, noticesTo } from '../../options/model-options.ts';
import { readWeightsFile } from '../../options/recipe-options.ts';
import { percent } from '../../output/format.ts';
import { progressOver } from '../../output/image-progress.ts';
import { onInterruption } from '../../signals.ts';
import { addOutput } from '../../usage.ts';

type Values = EngineOptions & {
  readonly data: string;
  readonly output: string;
  readonly features?: string;
  readonly classWeights?: string;
  readonly json?: boolean;
} & Record<string, unknown>;

const { validation, limitTrain, limitValidation, limitTest } = runNumbers;
const numbers = { validation, limitTrain, limitValidation, limitTest };
const ofNetwork = { inputSize: { ...networkOptions.inputSize, default: "the model's" } };

export function addProbe(program: Command): void {
  const command = program
    .command('probe')
    .description('solve a new classifier on the features of a trained model: minutes instead of hours')
    .argument('<model>', modelArgument)
    .requiredOption('--data <data>', "'fashion-mnist', a folder of class folders or shards");
  addOutput(command, { value: 'run', about: 'run folder to write' }).option(
    '--features <part>',
    `what the classifier reads: 'classifier', what it reads now; a part of the network, as inceptionB; or 'auto', the part with the smallest validation error`,
    'classifier',
  );
  const { flag, about } = recipeNumbers.classWeights;
  addDeclared(command.option(flag, about), { ...numbers, ...ofNetwork });
  addEngineOptions(command)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Features of each image are computed once and kept in the cache folder, so that another probe takes seconds. The run is one like any
other: classify, evaluate, export and serve take it, and 'inception train --weights RUN' fine-tunes it.

Examples:
  inception probe hub:timm/inception_v3.tv_in1k --data photos/ -o runs/probe
  inception probe hub:timm/inception_v4.tf_in1k --data photos/ -o runs/probe --features auto`,
    )
    .action(run);
}

async function run(model: string, values: Values): Promise<void> {
  const { data, output, features, json, device, precision, threads } = values;
  const notices = noticesTo(process.stderr);
  const interruption = onInterruption();
  let progress: ReturnType<typeof progressOver> | undefined;
  let begin = performance.now();
  const endProgress = () => {
    progress?.stop();
    progress = undefined;
  };
  try {
    const result = await probe({
      weights: model,
      data,
      out: output,
      features,
      classWeights: await readWeightsFile(values.classWeights),
      ...readDeclared(numbers, values),
      options: readDeclared(ofNetwork, values),
      device,
      precision,
      threads,
      ...notices,
      onNotice: (line) => {
        endProgress();
        notices.onNotice?.(line);
      },
      onImage: ({ done, total }) => {
        if (!progress) {
          progress = progressOver(total);
          begin = performance.now();
        }
        progress.step(done / ((performance.now() - begin) / 1000));
      },
      signal: interruption.signal,
    });
    const { evaluation, test, folder } = result;
    if (json) {
      const { configuration: _, ...rest } = result;
      process.stdout.write(`${JSON.stringify(rest, null, 2)}\n`);
      return;
    }
    process.stderr.write(`model: ${join(folder, runFiles.model)}\n`);
    if (evaluation) process.stdout.write(`validation error ${percent(evaluation.top1Error)}\n`);
    if (test) process.stdout.write(`test error ${percent(test.top1Error)}\n`);
  } catch (error) {
    interruption.throwIfInterrupted(
      'interrupted; features that were computed are kept, and the same command goes on',
    );
    throw error;
  } finally {
    endProgress();
    interruption.end();
    notices.end();
  }
}

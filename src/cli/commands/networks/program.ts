/** `inception program`: prints the compiled program. */
import type { Command } from 'commander';
import { compileInference } from '../../../compile/inference/compile-inference.ts';
import type { Precision } from '../../../compile/options.ts';
import { printProgram } from '../../../compile/program.ts';
import { compileTraining } from '../../../compile/training/compile-training.ts';
import { UsageError } from '../../../errors.ts';
import { buildGraph } from '../../../graph/build-graph.ts';
import { networkOptions } from '../../../networks/network-options.ts';
import { graphToTrain, resolveRecipe, stepOptionsOf } from '../../../train/recipe/recipe.ts';
import { networkArgument, readConfigured } from '../../network-argument.ts';
import { firstSet, nameOfFlag } from '../../options/declared-options.ts';
import { addNetworkOptions, readNetworkOptions } from '../../options/network-options.ts';
import { addStepOptions, readRecipe, refuseStepOptions } from '../../options/recipe-options.ts';
import { oneOf, wholeNumber } from '../../usage.ts';

type Values = Record<string, unknown> & {
  for: 'train' | 'infer' | 'prepare';
  batch: number;
  precision: Precision;
  json?: boolean;
};

export function addProgram(program: Command): void {
  const command = program
    .command('program')
    .description('print the compiled program of a network')
    .argument('<network>', networkArgument)
    .option(
      '--for <purpose>',
      'program to print: train, infer, or prepare (run once before inference)',
      oneOf('--for', ['train', 'infer', 'prepare']),
      'infer',
    )
    .option('--batch <n>', 'images per run', wholeNumber('--batch'), 8)
    .option(
      '--precision <precision>',
      'compute precision: float32 or bfloat16',
      oneOf('--precision', ['float32', 'bfloat16']),
      'float32',
    )
    .option('--json', 'print JSON');
  command.optionsGroup('Network:');
  addNetworkOptions(command);
  addStepOptions(command)
    .addHelpText('after', '\nExample:\n  inception program inception-v4 --for train | less')
    .action(async (name: string, values: Values) => {
      const compiled = await compile(name, values);
      process.stdout.write(values.json ? `${JSON.stringify(compiled, null, 2)}\n` : printProgram(compiled));
    });
}

async function compile(name: string, values: Values) {
  const { batch, precision } = values;
  const graph = buildGraph(await readConfigured(name, readNetworkOptions(values)));
  if (values.for !== 'train') {
    refuseStepOptions(values);
    for (const option of [networkOptions.auxiliary, networkOptions.dropoutKeep])
      if (firstSet([option], values))
        throw new UsageError(`${nameOfFlag(option)}: has no effect without --for train`);
    const { predict, prepare } = compileInference(graph, { batch, precision });
    return values.for === 'infer' ? predict : prepare;
  }
  const { name: base, ...overrides } = readRecipe(values);
  const recipe = resolveRecipe(base, overrides);
  return compileTraining(graphToTrain(graph, recipe), { ...stepOptionsOf(recipe), precision }).step;
}

/** `inception program`: prints the compiled program. */
import type { Command } from 'commander';
import { compileInference } from '../../../compile/inference/compile-inference.ts';
import type { Precision, TrainingOptions } from '../../../compile/options.ts';
import { type Program, printProgram } from '../../../compile/program.ts';
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
  processes?: number;
  replicas?: number;
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
    .option('--processes <n>', 'train: what each of this many processes runs', wholeNumber('--processes'))
    .option(
      '--replicas <n>',
      'train: replicas, which the processes divide among them (default: one in each process)',
      wholeNumber('--replicas'),
    )
    .option('--json', 'print JSON; a list where there are several programs');
  command.optionsGroup('Network:');
  addNetworkOptions(command);
  addStepOptions(command)
    .addHelpText('after', '\nExample:\n  inception program inception-v4 --for train | less')
    .action(async (name: string, values: Values) => {
      const isGiven = command.getOptionValueSource('for') !== 'default';
      const isShared = values.processes !== undefined || values.replicas !== undefined;
      const compiled = await compile(name, isShared && !isGiven ? { ...values, for: 'train' } : values);
      const [first] = compiled;
      const json = compiled.length === 1 ? first : compiled;
      process.stdout.write(
        values.json ? `${JSON.stringify(json, null, 2)}\n` : compiled.map(printProgram).join('\n'),
      );
    });
}

/** The programs of one purpose, in the order in which a process first runs them. */
async function compile(name: string, values: Values): Promise<readonly Program[]> {
  const { batch, precision } = values;
  const graph = buildGraph(await readConfigured(name, readNetworkOptions(values)));
  if (values.for !== 'train') {
    refuseStepOptions(values);
    for (const option of [networkOptions.auxiliary, networkOptions.dropoutKeep])
      if (firstSet([option], values))
        throw new UsageError(`${nameOfFlag(option)}: has no effect without --for train`);
    for (const option of ['processes', 'replicas'] as const)
      if (values[option] !== undefined)
        throw new UsageError(`--${option}: has no effect without --for train`);
    const { predict, prepare } = compileInference(graph, { batch, precision });
    return [values.for === 'infer' ? predict : prepare];
  }
  const { name: base, ...overrides } = readRecipe(values);
  const recipe = resolveRecipe(base, overrides);
  const { step, accumulate, idle } = compileTraining(graphToTrain(graph, recipe), {
    ...{ ...stepOptionsOf(recipe), precision },
    ...replicasOf(values),
  });
  return [accumulate, step, idle].filter((each) => each !== undefined);
}

const replicasOf = ({ processes = 1, replicas = processes }: Values): Pick<TrainingOptions, 'replicas'> => ({
  replicas: { count: replicas, processes, reduce: 'float32', batchNorm: 'own', average: 'reduce' },
});

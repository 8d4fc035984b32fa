/** The command line, with one file per command. */
import { Command, type Option } from 'commander';
import { packageVersion } from '../version.ts';
import { addBench } from './commands/bench.ts';
import { addClassify } from './commands/classify.ts';
import { addDashboard } from './commands/dashboard.ts';
import { addData } from './commands/data.ts';
import { addDoctor } from './commands/doctor.ts';
import { addEvaluate } from './commands/evaluate.ts';
import { addExport } from './commands/export.ts';
import { addEmbed } from './commands/images/embed.ts';
import { addExplain } from './commands/images/explain.ts';
import { addPredict } from './commands/images/predict.ts';
import { addProbe } from './commands/images/probe.ts';
import { addImport } from './commands/import.ts';
import { addCompare } from './commands/networks/compare.ts';
import { addDiagram } from './commands/networks/diagram.ts';
import { addModels } from './commands/networks/models.ts';
import { addProgram } from './commands/networks/program.ts';
import { addSummary } from './commands/networks/summary.ts';
import { addPull } from './commands/pull.ts';
import { addPush } from './commands/push.ts';
import { addReproduce } from './commands/reproduce.ts';
import { addServe } from './commands/serve.ts';
import { addSetup } from './commands/setup.ts';
import { addTrain } from './commands/train.ts';

export function createProgram(): Command {
  const program = new Command('inception');
  program
    .description('Inspect, train, evaluate, export and serve the Inception networks.')
    .version(packageVersion, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .option('--stack', 'print the stack trace of an error')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'inception: ')) })
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false, optionDescription })
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText(
      'after',
      `
Examples:
  inception summary inception-v4
  inception train inception-resnet-v2 --data fashion-mnist --recipe small-data --width 0.25 --input-size 75 --out runs/first
  inception evaluate runs/first --data fashion-mnist
  inception classify shoe.jpg --model runs/first

Run 'inception COMMAND --help' for the options of a command, and 'inception doctor' to check this machine.`,
    );
  for (const add of [
    addModels,
    addSummary,
    addDiagram,
    addCompare,
    addProgram,
    addData,
    addTrain,
    addProbe,
    addEvaluate,
    addClassify,
    addExplain,
    addPredict,
    addEmbed,
    addServe,
    addImport,
    addExport,
    addPull,
    addPush,
    addDashboard,
    addReproduce,
    addBench,
    addSetup,
    addDoctor,
  ]) {
    add(program);
  }
  return program;
}

/** Prints a default once and without quotes; flags have none. */
function optionDescription({ description, defaultValue, defaultValueDescription }: Option): string {
  if (defaultValue === undefined || typeof defaultValue === 'boolean') return description;
  return `${description} (default: ${defaultValueDescription ?? defaultValue})`;
}

/** The command line, with one file per command. */
import { Command, type Option } from 'commander';
import { packageVersion } from '../version.ts';

/**
 * The commands, in the order of the help. Each is a module that is loaded when it is asked for: to load all of them takes ten times as long
 * as Node.js itself.
 */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  models: async () => (await import('./commands/networks/models.ts')).addModels,
  summary: async () => (await import('./commands/networks/summary.ts')).addSummary,
  diagram: async () => (await import('./commands/networks/diagram.ts')).addDiagram,
  compare: async () => (await import('./commands/networks/compare.ts')).addCompare,
  program: async () => (await import('./commands/networks/program.ts')).addProgram,
  data: async () => (await import('./commands/data.ts')).addData,
  train: async () => (await import('./commands/train.ts')).addTrain,
  probe: async () => (await import('./commands/images/probe.ts')).addProbe,
  evaluate: async () => (await import('./commands/evaluate.ts')).addEvaluate,
  classify: async () => (await import('./commands/classify.ts')).addClassify,
  explain: async () => (await import('./commands/images/explain.ts')).addExplain,
  predict: async () => (await import('./commands/images/predict.ts')).addPredict,
  embed: async () => (await import('./commands/images/embed.ts')).addEmbed,
  similar: async () => (await import('./commands/images/embed.ts')).addSimilar,
  strongest: async () => (await import('./commands/images/embed.ts')).addStrongest,
  serve: async () => (await import('./commands/serve.ts')).addServe,
  import: async () => (await import('./commands/import.ts')).addImport,
  export: async () => (await import('./commands/export.ts')).addExport,
  quantise: async () => (await import('./commands/quantise.ts')).addQuantise,
  'export-metrics': async () => (await import('./commands/export-metrics.ts')).addExportMetrics,
  pull: async () => (await import('./commands/pull.ts')).addPull,
  push: async () => (await import('./commands/push.ts')).addPush,
  dashboard: async () => (await import('./commands/dashboard.ts')).addDashboard,
  reproduce: async () => (await import('./commands/reproduce.ts')).addReproduce,
  bench: async () => (await import('./commands/bench.ts')).addBench,
  setup: async () => (await import('./commands/setup.ts')).addSetup,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctor,
};

/** The commands that the arguments need to be loaded: the one they name, none for --version, or all, for the help and for suggestions. */
function needed(args: readonly string[]): readonly (keyof typeof commands)[] {
  const [first, second] = args.filter((arg) => arg !== '--stack');
  const name = first === 'help' ? second : first;
  if (name !== undefined && Object.hasOwn(commands, name)) return [name];
  return first === '--version' || first === '-V' ? [] : Object.keys(commands);
}

/** @param args those behind `inception`; default: every command is loaded. */
export async function createProgram(args: readonly string[] = []): Promise<Command> {
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
  for (const name of needed(args)) {
    const add = await commands[name]?.();
    add?.(program);
  }
  return program;
}

/** Prints a default once and without quotes; flags have none. */
function optionDescription({ description, defaultValue, defaultValueDescription }: Option): string {
  if (defaultValue === undefined || typeof defaultValue === 'boolean') return description;
  return `${description} (default: ${defaultValueDescription ?? defaultValue})`;
}

/** The command line: one file for each command, errors as one line, exit codes 0, 1 (failed), 2 (wrong usage). */
import { Command, CommanderError } from 'commander';
import { InceptionError, UsageError } from '../errors.ts';
import { packageVersion } from '../version.ts';
import { addBench } from './commands/bench.ts';
import { addClassify } from './commands/classify.ts';
import { addCompare } from './commands/compare.ts';
import { addDashboard } from './commands/dashboard.ts';
import { addDiagram } from './commands/diagram.ts';
import { addDoctor } from './commands/doctor.ts';
import { addEvaluate } from './commands/evaluate.ts';
import { addExport } from './commands/export.ts';
import { addImport } from './commands/import.ts';
import { addModels } from './commands/models.ts';
import { addProgram } from './commands/program.ts';
import { addPull } from './commands/pull.ts';
import { addServe } from './commands/serve.ts';
import { addSetup } from './commands/setup.ts';
import { addSummary } from './commands/summary.ts';
import { addTrain } from './commands/train.ts';
import { InterruptedError } from './usage.ts';

function createProgram(): Command {
  const program = new Command('inception');
  program
    .description('The Inception networks: inspect, train, evaluate and use them.')
    .version(packageVersion, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .option('--stack', 'print where an error came from')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'inception: ')) })
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
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

'inception COMMAND --help' tells more. 'inception doctor' says whether everything is there.`,
    );
  for (const add of [
    addModels,
    addSummary,
    addDiagram,
    addCompare,
    addProgram,
    addTrain,
    addEvaluate,
    addClassify,
    addServe,
    addImport,
    addExport,
    addPull,
    addDashboard,
    addBench,
    addSetup,
    addDoctor,
  ]) {
    add(program);
  }
  return program;
}

/** A file that cannot be read or written, a port in use: Node's own message says which. */
const isSystemError = (error: unknown): boolean =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';

/** The exit code for an error, after telling the person. */
function report(error: unknown, { stack }: { stack: boolean }): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const expected = error instanceof InceptionError || isSystemError(error);
  const { message, stack: trace = message } = error instanceof Error ? error : new Error(String(error));
  const text = expected ? (stack ? trace : message) : `an error that should not happen:\n${trace}`;
  process.stderr.write(`inception: ${text}\n`);
  if (error instanceof InterruptedError) return error.exitCode;
  return error instanceof UsageError ? 2 : 1;
}

// `inception … | head` closes our output early; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const program = createProgram();
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error, { stack: program.opts<{ stack?: boolean }>().stack ?? false });
}

/** `--processes N` of the commands whose work several processes of one machine can share. */
import type { Command } from 'commander';
import { launchedBy } from '../../distributed/launcher.ts';
import { runCopies } from '../../distributed/spawn-processes.ts';
import { UsageError } from '../../errors.ts';
import { numberOption } from '../../option.ts';
import { addDeclared, readDeclared } from './declared-options.ts';

const table = {
  processes: numberOption({
    whole: true,
    atLeast: 1,
    atMost: 1024,
    flag: '--processes <n>',
    about:
      'run in n processes on this machine; on several machines a launcher starts them (torchrun, mpirun, srun)',
    label: 'Processes',
    default: '1',
  }),
};

export const addProcesses = (command: Command): Command => addDeclared(command, table);

/**
 * Where --processes asks for several, runs the command in as many copies of this process, sets the exit code and returns true.
 * @throws UsageError where a launcher has started this process
 */
export async function ranAsProcesses(values: Readonly<Record<string, unknown>>): Promise<boolean> {
  const { processes } = readDeclared(table, values);
  if (processes === undefined) return false;
  const launched = launchedBy(process.env);
  if (launched)
    throw new UsageError(
      `--processes: the environment (${launched.launcher}) says that this is one of ${launched.size} processes already; leave the option out, or start the command without the launcher`,
    );
  if (processes === 1) return false;
  process.exitCode = await runCopies({
    command: process.execPath,
    args: [...process.execArgv, ...withoutProcesses(process.argv.slice(1))],
    processes,
    env: process.env,
    say: (line) => process.stderr.write(`${line}\n`),
  });
  return true;
}

/** The arguments without the option, which the copies must not have. */
export const withoutProcesses = (args: readonly string[]): string[] =>
  args.filter((arg, index) => !/^--processes(=|$)/.test(arg) && !(args[index - 1] === '--processes'));

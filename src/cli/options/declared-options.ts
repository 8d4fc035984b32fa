/** Flags of options that are declared in tables: added to a command, read back by the tables' names. */
import { type Command, Option as Flag } from 'commander';
import { UsageError } from '../../errors.ts';
import type { Option, OptionTable, OptionValues } from '../../option.ts';

/** `--width` of `--width <factor>` */
export const nameOfFlag = ({ flag }: Pick<Option<unknown>, 'flag'>): string => flag.split(' ')[0] as string;

/** An option's line of help. */
export const aboutOf = ({ about, default: usual }: Pick<Option<unknown>, 'about' | 'default'>): string =>
  usual === undefined ? about : `${about} (default: ${usual})`;

/** A text of the command line as an option's value. @throws UsageError */
export function readText(option: Option<unknown>, text: string): unknown {
  const value = option.parse(text);
  if (option.accepts(value)) return value;
  throw new UsageError(`${nameOfFlag(option)}: expected ${option.written}, received '${text}'`);
}

/** Adds a flag for each option of the table; {@link readDeclared} has their values. */
export function addDeclared(
  command: Command,
  table: OptionTable,
  { except = [] }: { except?: readonly string[] } = {},
): Command {
  for (const [name, option] of Object.entries(table)) {
    if (except.includes(name)) continue;
    const flag = new Flag(option.flag, aboutOf(option));
    if (option.control.kind !== 'boolean') flag.argParser((text) => readText(option, text));
    command.addOption(flag);
    // commander sets what only a --no- flag can turn off; here what was not said stays undefined.
    if (flag.negate) command.setOptionValueWithSource(flag.attributeName(), undefined, 'default');
  }
  return command;
}

/** The values that were given on the command line. */
export function readDeclared<Table extends OptionTable>(
  table: Table,
  values: Readonly<Record<string, unknown>>,
): Partial<OptionValues<Table>> {
  const given = Object.entries(table).flatMap(([name, option]) => {
    const value = values[new Flag(option.flag).attributeName()];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(given) as Partial<OptionValues<Table>>;
}

/** Command-line flags for options declared in tables. */
import { type Command, Option as Flag } from 'commander';
import { UsageError } from '../../errors.ts';
import type { Option, OptionTable, OptionValues, Variant, VariantTables } from '../../option.ts';
import { oneOf } from '../usage.ts';

/** `--width` of `--width <factor>` */
export const nameOfFlag = ({ flag }: Pick<Option<unknown>, 'flag'>): string => flag.split(' ')[0] as string;

/** The help text of an option. */
export const aboutOf = ({
  about,
  default: defaultText,
}: Pick<Option<unknown>, 'about' | 'default'>): string =>
  defaultText === undefined ? about : `${about} (default: ${defaultText})`;

/** Parses a command-line argument as an option's value. @throws UsageError */
export function readText(option: Option<unknown>, text: string): unknown {
  const value = option.parse(text);
  if (option.accepts(value)) return value;
  throw new UsageError(`${nameOfFlag(option)}: expected ${option.written}, received '${text}'`);
}

/** What stands for null among commander's values: it takes null for an argument that is missing, and makes an empty text of it. */
const off = Symbol('off');

interface AddOptions {
  readonly except?: readonly string[];
  /** Default texts for the help, instead of those in the table. */
  readonly defaults?: Readonly<Record<string, string>>;
}

/** Adds a flag for each option of the table; {@link readDeclared} reads them. */
export function addDeclared(
  command: Command,
  table: OptionTable,
  { except = [], defaults }: AddOptions = {},
): Command {
  for (const [name, option] of Object.entries(table)) {
    if (except.includes(name)) continue;
    const defaultText = defaults ? defaults[name] : option.default;
    const about = aboutOf(defaultText === undefined ? option : { ...option, default: defaultText });
    const flag = new Flag(option.flag.replace('[no-]', ''), about);
    if (option.flag.includes('[no-]')) {
      command.addOption(new Flag(option.flag.replace('[no-]', 'no-')).hideHelp());
      flag.flags = option.flag;
    }
    if (option.control.kind !== 'boolean') flag.argParser((text) => readText(option, text) ?? off);
    command.addOption(flag);
    // commander defaults an option whose --no- flag comes first to true; here an unset option stays undefined.
    if (flag.negate || option.flag.includes('[no-]'))
      command.setOptionValueWithSource(flag.attributeName(), undefined, 'default');
  }
  return command;
}

/** The values set on the command line. */
export function readDeclared<Table extends OptionTable>(
  table: Table,
  values: Readonly<Record<string, unknown>>,
): Partial<OptionValues<Table>> {
  const entries = Object.entries(table).flatMap(([name, option]) => {
    const value = values[attributeOf(option)];
    return value === undefined ? [] : [[name, value === off ? null : value] as const];
  });
  return Object.fromEntries(entries) as Partial<OptionValues<Table>>;
}

type Flagged = Pick<Option<unknown>, 'flag'>;

const attributeOf = ({ flag }: Flagged): string => new Flag(flag.replace('[no-]', '')).attributeName();

/** The first of the options that is set. */
export const firstSet = (
  options: readonly Flagged[],
  values: Readonly<Record<string, unknown>>,
): Flagged | undefined => options.find((option) => values[attributeOf(option)] !== undefined);

export const optionsOf = (tables: VariantTables): Option<unknown>[] =>
  Object.values(tables).flatMap((table) => Object.values(table));

/** Adds a hidden option of other commands that has no effect in this one; it is refused with the reason. */
export const refuseOption = (
  command: Command,
  { flag }: Pick<Option<unknown>, 'flag'>,
  reason: string,
): Command =>
  command.addOption(
    new Flag(flag)
      .argParser(() => {
        throw new UsageError(`${nameOfFlag({ flag })}: has no effect here: ${reason}`);
      })
      .hideHelp(),
  );

/** A choice such as `--schedule <name>`, with the flags for the options of each kind. */
export interface DeclaredVariant<Tables extends VariantTables> {
  readonly flag: string;
  readonly about: string;
  readonly tables: Tables;
  readonly usual: { readonly [K in keyof Tables]: Extract<Variant<Tables>, { kind: K }> };
}

export function addVariant<Tables extends VariantTables>(
  command: Command,
  { flag, about, tables, usual }: DeclaredVariant<Tables>,
  defaults: string,
): Command {
  const kinds = Object.keys(tables);
  const name = nameOfFlag({ flag });
  command.option(flag, `${about}: ${kinds.join(', ')} (default: ${defaults})`, oneOf(name, kinds));
  const known = new Set<string>();
  for (const [kind, table] of Object.entries(tables)) {
    const values = usual[kind] as Readonly<Record<string, unknown>>;
    const texts = Object.entries(table).map(([key, option]) => [key, option.format(values[key])] as const);
    // Kinds may share a flag: the help shows the first one's text.
    const except = Object.keys(table).filter((key) => known.has((table[key] as Option<unknown>).flag));
    addDeclared(command, table, { except, defaults: Object.fromEntries(texts) });
    for (const option of Object.values(table)) known.add(option.flag);
  }
  return command;
}

/**
 * The variant with the values set on the command line, or undefined if none is.
 * @throws UsageError for an option of another kind, which would have no effect.
 */
export function readVariant<Tables extends VariantTables>(
  { flag, tables, usual }: DeclaredVariant<Tables>,
  base: Variant<Tables>,
  values: Readonly<Record<string, unknown>>,
): Variant<Tables> | undefined {
  const chosen = values[attributeOf({ flag })] as keyof Tables | undefined;
  const kind = chosen ?? base.kind;
  const table = tables[kind] as OptionTable;
  const set = readDeclared(table, values);
  const flags = new Set(Object.values(table).map((option) => option.flag));
  const idle = firstSet(
    optionsOf(tables).filter((option) => !flags.has(option.flag)),
    values,
  );
  if (idle)
    throw new UsageError(`${nameOfFlag(idle)}: has no effect with ${nameOfFlag({ flag })} ${String(kind)}`);
  if (chosen === undefined && Object.keys(set).length === 0) return undefined;
  return { ...(kind === base.kind ? base : usual[kind]), ...set } as Variant<Tables>;
}

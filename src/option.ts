/**
 * An option, declared once: what it takes, how it is written, what it is for. Types, checks, command-line flags, help, the
 * schema of files and the page's controls follow from tables of these. Pure; also for the browser.
 */

import type { InceptionError } from './errors.ts';

/** How an option is shown and edited. */
export type OptionKind =
  | {
      readonly kind: 'number';
      readonly minimum: number;
      readonly step: number;
      /** Ends of a slider, where one makes sense. */
      readonly slider: readonly [number, number] | undefined;
    }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'text' }
  | { readonly kind: 'size' }
  /** One number for each stage; `words` stand for all of them. */
  | { readonly kind: 'stages'; readonly step: number; readonly words: readonly string[] };

/** The words of an option: what a person reads of it. */
export interface OptionWords {
  /** As the command line takes it: `--width <factor>`; `--no-gamma` is a flag that sets false, `--[no-]flip` is two. */
  readonly flag: string;
  /** One line of help, without the default. */
  readonly about: string;
  /** In a form: 'Input size (pixels)'. */
  readonly label: string;
  /** What holds without the option, in words. */
  readonly default?: string;
}

export interface Option<Value> extends OptionWords {
  readonly control: OptionKind;
  /** Completes 'expected …' for a value. */
  readonly expected: string;
  /** Completes 'expected …' for a text. */
  readonly written: string;
  readonly accepts: (value: unknown) => value is Value;
  /** What a text means, unchecked: a text that means nothing comes back as it is. */
  readonly parse: (text: string) => unknown;
  /** The text that `parse` reads back. */
  format(value: Value): string;
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>;
export type OptionValue<T> = T extends Option<infer Value> ? Value : never;
/** The values of a table's options, all of them. */
export type OptionValues<Table> = { readonly [K in keyof Table]: OptionValue<Table[K]> };

/** Bounds of a number; a bound that is left out does not hold. */
export interface Range {
  readonly whole?: boolean;
  readonly above?: number;
  readonly atLeast?: number;
  readonly below?: number;
  readonly atMost?: number;
}

/** 'a number above 0 and at most 1' */
export function describeRange({ whole, above, atLeast, below, atMost }: Range): string {
  const bounds = [
    above !== undefined && `above ${above}`,
    atLeast !== undefined && `of at least ${atLeast}`,
    below !== undefined && `below ${below}`,
    atMost !== undefined && `at most ${atMost}`,
  ].filter((bound) => bound !== false);
  return [whole ? 'a whole number' : 'a number', bounds.join(' and ')].filter(Boolean).join(' ');
}

export const inRange = (value: unknown, range: Range): value is number =>
  typeof value === 'number' &&
  Number.isFinite(value) &&
  (!range.whole || Number.isSafeInteger(value)) &&
  value > (range.above ?? Number.NEGATIVE_INFINITY) &&
  value >= (range.atLeast ?? Number.NEGATIVE_INFINITY) &&
  value < (range.below ?? Number.POSITIVE_INFINITY) &&
  value <= (range.atMost ?? Number.POSITIVE_INFINITY);

/** The number that a text is, or the text. */
export function parseNumber(text: string): number | string {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isNaN(value) ? text : value;
}

interface NumberShown {
  /** Instead of the range in words. */
  readonly expected?: string;
  /** Of a form's field. */
  readonly step?: number;
  readonly slider?: readonly [number, number];
}

export function numberOption({
  expected,
  step,
  slider,
  ...rest
}: OptionWords & Range & NumberShown): Option<number> {
  const { whole, above, atLeast, below, atMost, ...words } = rest;
  const range = { whole, above, atLeast, below, atMost } as Range;
  const text = expected ?? describeRange(range);
  const usualStep = step ?? (whole ? 1 : 0.01);
  return {
    ...words,
    control: {
      kind: 'number',
      minimum: atLeast ?? (above !== undefined ? above + usualStep : Number.NEGATIVE_INFINITY),
      step: usualStep,
      slider,
    },
    expected: text,
    written: text,
    accepts: (value) => inRange(value, range),
    parse: parseNumber,
    format: String,
  };
}

/** A number that may be switched off: null in a file, 'off' as a text. */
export function numberOrOffOption(words: OptionWords & Range & NumberShown): Option<number | null> {
  const option = numberOption(words);
  return {
    ...option,
    expected: `${option.expected}, or null`,
    written: `${option.expected}, or off`,
    accepts: (value): value is number | null => value === null || option.accepts(value),
    parse: (text) => (text === 'off' ? null : option.parse(text)),
    format: (value) => (value === null ? 'off' : option.format(value)),
  };
}

/** A name that may be left out: null in a file, 'off' as a text. Which names there are depends on the rest. */
export const nameOrOffOption = (
  words: OptionWords & { readonly expected: string },
): Option<string | null> => ({
  ...words,
  control: { kind: 'text' },
  expected: `${words.expected}, or null`,
  written: `${words.expected}, or off`,
  accepts: (value): value is string | null =>
    value === null || (typeof value === 'string' && value.trim() !== '' && value !== 'off'),
  parse: (text) => (text === 'off' ? null : text),
  format: (value) => value ?? 'off',
});

/** One of a few words. */
export const choiceOption = <Choice extends string>({
  choices,
  ...words
}: OptionWords & { readonly choices: readonly Choice[] }): Option<Choice> => ({
  ...words,
  control: { kind: 'text' },
  expected: choices.map((choice) => `'${choice}'`).join(' or '),
  written: choices.join(' or '),
  accepts: (value): value is Choice => choices.some((choice) => choice === value),
  parse: (text) => text,
  format: String,
});

/** A number that may be left to the program: 'auto', in calls and as a text. Files hold what it was resolved to. */
export const numberOrAutoOption = (
  option: Option<number>,
  words: Pick<OptionWords, 'flag' | 'about'>,
): Option<number | 'auto'> => ({
  ...option,
  ...words,
  expected: `${option.expected}, or 'auto'`,
  written: `${option.written}, or auto`,
  accepts: (value): value is number | 'auto' => value === 'auto' || option.accepts(value),
  format: (value) => (value === 'auto' ? value : option.format(value)),
});

const secondsOfUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** A length of time in seconds; as a text with its unit: 90s, 30m, 1.5h. */
export function durationOption(words: OptionWords): Option<number> {
  const option = numberOption({ ...words, above: 0, atMost: 10_000_000, step: 60 });
  return {
    ...option,
    expected: 'a number of seconds above 0',
    written: 'a time such as 90s, 30m or 2h',
    parse: (text) => {
      const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)([smh])$/.exec(text.trim()) ?? [];
      return amount === undefined ? text : Number(amount) * (secondsOfUnit[unit] as number);
    },
    format: (seconds) => `${seconds}s`,
  };
}

export const booleanOption = (words: OptionWords): Option<boolean> => ({
  ...words,
  control: { kind: 'boolean' },
  expected: 'true or false',
  written: 'true or false',
  accepts: (value) => typeof value === 'boolean',
  parse: (text) => (text === 'true' ? true : text === 'false' ? false : text),
  format: String,
});

/** Kinds of one thing, of which one is chosen, each with options of its own: schedules, optimisers. */
export type VariantTables = Readonly<Record<string, OptionTable>>;
/** One of the kinds with the values of its options: `{ kind: 'cosine', warmup: 1 }`. */
export type Variant<Tables> = {
  [K in keyof Tables]: { readonly kind: K } & OptionValues<Tables[K]>;
}[keyof Tables];

/**
 * For the code that applies options: called with what destructuring has left of their values, it does not compile while one of
 * them is not applied.
 */
export const nothingLeft = (rest: Record<string, never>): object => rest;

/** How a fault is told: 'recipe option 'schedule.factor': expected …'. */
export interface FaultWords {
  readonly what: string;
  /** Stands before the names, as `schedule.`. */
  readonly path?: string;
  readonly Failure: new (message: string) => InceptionError;
}

/** Checks the values that are there; undefined counts as left out. @throws Failure naming the option, what it takes and what came. */
export function checkOptions(
  table: OptionTable,
  values: object,
  { what, path = '', Failure }: FaultWords,
): void {
  for (const [name, received] of Object.entries(values)) {
    if (received === undefined) continue;
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (option === undefined)
      throw new Failure(`unknown ${what} '${path}${name}'; there are ${Object.keys(table).join(', ')}`);
    if (!option.accepts(received))
      throw new Failure(
        `${what} '${path}${name}': expected ${option.expected}; received ${JSON.stringify(received)}`,
      );
  }
}

/** Checks a whole variant. @throws Failure */
export function checkVariant(
  tables: VariantTables,
  { kind, ...values }: { readonly kind: string } & object,
  { what, path = '', Failure }: FaultWords,
): void {
  const table = Object.hasOwn(tables, kind) ? tables[kind] : undefined;
  if (table === undefined)
    throw new Failure(
      `${what} '${path}kind': expected ${Object.keys(tables).join(' or ')}; received ${JSON.stringify(kind)}`,
    );
  checkOptions(table, values, { what, path, Failure });
  const missing = Object.keys(table).find((name) => !Object.hasOwn(values, name));
  if (missing !== undefined)
    throw new Failure(`${what} '${path}${missing}': expected ${table[missing]?.expected}; received nothing`);
}

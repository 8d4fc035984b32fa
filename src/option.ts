/**
 * An option, declared once: what it takes, how it is written, what it is for. Types, checks, command-line flags, help, the
 * schema of files and the page's controls follow from tables of these. Pure; also for the browser.
 */

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
  | { readonly kind: 'size' }
  /** One number for each stage; `words` stand for all of them. */
  | { readonly kind: 'stages'; readonly step: number; readonly words: readonly string[] };

/** The words of an option: what a person reads of it. */
export interface OptionWords {
  /** As the command line takes it: `--width <factor>`; `--no-gamma` is a flag that sets false. */
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
  };
}

export const booleanOption = (words: OptionWords): Option<boolean> => ({
  ...words,
  control: { kind: 'boolean' },
  expected: 'true or false',
  written: 'true or false',
  accepts: (value) => typeof value === 'boolean',
  parse: (text) => (text === 'true' ? true : text === 'false' ? false : text),
});

/** Where something is wrong, what is expected there and what came. */
export interface OptionFault {
  readonly name: string;
  readonly expected: string;
  readonly received: unknown;
}

/** The first value that its option does not take; values that are undefined are left out. */
export function findFault(table: OptionTable, values: object): OptionFault | undefined {
  for (const [name, received] of Object.entries(values)) {
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (received === undefined || option === undefined || option.accepts(received)) continue;
    return { name, expected: option.expected, received };
  }
  return undefined;
}

/** The first name that is not in the table. */
export const findStranger = (table: OptionTable, values: object): string | undefined =>
  Object.entries(values).find(([name, value]) => value !== undefined && !Object.hasOwn(table, name))?.[0];

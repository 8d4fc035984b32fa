/** Parsing of option values, with messages that say what is expected and what came. */
import { type Command, Option } from 'commander';
import { InceptionError, UsageError } from '../errors.ts';

type Check = (value: number) => boolean;

const parseNumber =
  (option: string, expected: string, accepts: Check) =>
  (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || !accepts(value)) {
      throw new UsageError(`${option}: expected ${expected}, received '${text}'`);
    }
    return value;
  };

export const wholeNumber = (option: string, least = 1) =>
  parseNumber(
    option,
    `a whole number of at least ${least}`,
    (value) => Number.isSafeInteger(value) && value >= least,
  );

export const number = (option: string) => parseNumber(option, 'a number', () => true);

export const positiveNumber = (option: string) =>
  parseNumber(option, 'a number above 0', (value) => value > 0);

/** A probability that something is kept. */
export const keptShare = (option: string) =>
  parseNumber(option, 'a number above 0 and at most 1', (value) => value > 0 && value <= 1);

/** One of a few words. */
export const oneOf =
  <T extends string>(option: string, words: readonly T[]) =>
  (text: string): T => {
    const found = words.find((word) => word === text);
    if (found === undefined)
      throw new UsageError(`${option}: expected ${words.join(' or ')}, received '${text}'`);
    return found;
  };

/** What a command writes: one spelling in all of them, and `--out` as another. `value` is what help calls it. */
export function addOutput(command: Command, { value, about }: { value: string; about: string }): Command {
  return command
    .requiredOption(`-o, --output <${value}>`, `${about}; also --out`)
    .addOption(new Option(`--out <${value}>`).hideHelp())
    .on('option:out', (path: string) => command.setOptionValue('output', path));
}

/** An option that has another name now: whoever uses the old one is told. */
export const renamed = (flags: string, name: string): Option =>
  new Option(flags).hideHelp().argParser(() => {
    throw new UsageError(`${flags.split(' ')[0]}: the option is called ${name} now`);
  });

/** A signal ended the work early; what was done is kept. */
export class InterruptedError extends InceptionError {
  override name = 'InterruptedError';
  /** 130 after SIGINT, 143 after SIGTERM. */
  readonly exitCode: number;

  constructor(signal: 'SIGINT' | 'SIGTERM', message: string) {
    super(message);
    this.exitCode = signal === 'SIGINT' ? 130 : 143;
  }
}

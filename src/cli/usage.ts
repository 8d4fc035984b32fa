/** Parsers of option values, with messages that say what was expected and what was received. */
import { type Command, Option } from 'commander';
import { InceptionError, UsageError } from '../errors.ts';
import { describeRange, inRange, parseNumber, type Range } from '../option.ts';

/** Parses a number in a range. */
export const numberIn =
  (option: string, range: Range) =>
  (text: string): number => {
    const value = parseNumber(text);
    if (inRange(value, range)) return value;
    throw new UsageError(`${option}: expected ${describeRange(range)}, received '${text}'`);
  };

export const wholeNumber = (option: string, atLeast = 1) => numberIn(option, { whole: true, atLeast });

/** Parses one of a few words. */
export const oneOf =
  <T extends string>(option: string, words: readonly T[]) =>
  (text: string): T => {
    const choice = words.find((word) => word === text);
    if (choice === undefined)
      throw new UsageError(`${option}: expected ${words.join(' or ')}, received '${text}'`);
    return choice;
  };

/** calibrationMethod → --calibration-method */
export const flagOf = (attribute: string): string =>
  `--${attribute.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Adds `-o, --output`, with `--out` as an alias. `value` is the placeholder in the help. */
export function addOutput(command: Command, { value, about }: { value: string; about: string }): Command {
  return command
    .requiredOption(`-o, --output <${value}>`, `${about}; also --out`)
    .addOption(new Option(`--out <${value}>`).hideHelp())
    .on('option:out', (path: string) => command.setOptionValue('output', path));
}

/** The old name of a renamed option; it is refused with the new name. */
export const renamed = (flags: string, name: string): Option =>
  new Option(flags).hideHelp().argParser(() => {
    throw new UsageError(`${flags.split(' ')[0]}: this option is now called ${name}`);
  });

/** A signal ended the work early; results so far are kept. */
export class InterruptedError extends InceptionError {
  override name = 'InterruptedError';
  /** 130 after SIGINT, 143 after SIGTERM. */
  readonly exitCode: number;

  constructor(signal: 'SIGINT' | 'SIGTERM', message: string) {
    super(message);
    this.exitCode = signal === 'SIGINT' ? 130 : 143;
  }
}

/** Parsing of option values, with messages that say what is expected and what came. */
import { type Command, Option } from 'commander';
import { InceptionError, UsageError } from '../errors.ts';
import { describeRange, inRange, parseNumber, type Range } from '../option.ts';

/** A number within a range. */
export const numberIn =
  (option: string, range: Range) =>
  (text: string): number => {
    const value = parseNumber(text);
    if (inRange(value, range)) return value;
    throw new UsageError(`${option}: expected ${describeRange(range)}, received '${text}'`);
  };

export const wholeNumber = (option: string, atLeast = 1) => numberIn(option, { whole: true, atLeast });

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

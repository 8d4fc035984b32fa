/** The options that every command with a NETWORK takes. */
import type { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import type { NetworkOptions, Stage } from '../../networks/networks.ts';
import { keptShare, positiveNumber, wholeNumber } from '../usage.ts';

/** Adds the options; their values come back through {@link readNetworkOptions}. */
export function addNetworkOptions(command: Command): Command {
  return command
    .option(
      '--classes <n>',
      'outputs of the classifier (default: 1000, or those of the data)',
      wholeNumber('--classes'),
    )
    .option('--input-size <pixels>', 'side of the input, or HEIGHTxWIDTH (default: 299)', inputSize)
    .option(
      '--width <factor>',
      'multiplies filter counts, rounded to multiples of 8 (default: 1)',
      positiveNumber('--width'),
    )
    .option('--blocks <a,b,c>', 'how often the A, B and C blocks are repeated (default: as drawn)', blocks)
    .option(
      '--residual-scale <scale>',
      "'off', one number, or A,B,C (default: 0.17,0.10,0.20)",
      residualScale,
    )
    .option('--auxiliary', 'add the auxiliary classifier, which only training uses')
    .option(
      '--dropout-keep <share>',
      'probability that dropout keeps a value (default: 0.8)',
      keptShare('--dropout-keep'),
    );
}

export function readNetworkOptions(values: Record<string, unknown>): NetworkOptions {
  const names = [
    'classes',
    'inputSize',
    'width',
    'blocks',
    'residualScale',
    'auxiliary',
    'dropoutKeep',
  ] as const;
  return Object.fromEntries(
    names.filter((name) => values[name] !== undefined).map((name) => [name, values[name]]),
  );
}

export function inputSize(text: string): number | [number, number] {
  const match = /^([1-9]\d*)(?:x([1-9]\d*))?$/.exec(text);
  if (!match) throw new UsageError(`--input-size: expected pixels, as 299 or 299x224, received '${text}'`);
  return match[2] === undefined ? Number(match[1]) : [Number(match[1]), Number(match[2])];
}

/** Three numbers for A, B and C, or undefined if they are not three or one is not accepted. */
function perStage(text: string, accepts: (value: number) => boolean): Record<Stage, number> | undefined {
  const [A = 0, B = 0, C = 0, ...more] = text.split(',').map(Number);
  return more.length === 0 && [A, B, C].every(accepts) ? { A, B, C } : undefined;
}

function blocks(text: string): Record<Stage, number> {
  const counts = perStage(text, (count) => Number.isSafeInteger(count) && count >= 1);
  if (counts) return counts;
  throw new UsageError(
    `--blocks: expected three counts of at least 1 for A, B and C, as 5,10,5, received '${text}'`,
  );
}

function residualScale(text: string): 'off' | number | Record<Stage, number> {
  if (text === 'off') return 'off';
  const isScale = (value: number) => Number.isFinite(value) && value > 0;
  const scales = isScale(Number(text)) ? Number(text) : perStage(text, isScale);
  if (scales !== undefined) return scales;
  throw new UsageError(
    `--residual-scale: expected 'off', a number above 0, or three for A, B and C, as 0.17,0.1,0.2, received '${text}'`,
  );
}

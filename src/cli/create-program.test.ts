/** The help of every command: everything is described, each default appears once, and the wording is plain. */
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from './create-program.ts';

const leaves = (command: Command): Command[] =>
  command.commands.length === 0 ? [command] : [command, ...command.commands.flatMap(leaves)];

const nameOf = (command: Command): string =>
  command.parent ? `${nameOf(command.parent)} ${command.name()}`.trim() : '';

const commands = leaves(await createProgram()).map(
  (command) => [nameOf(command) || 'inception', command] as const,
);

/** Wording of older help texts that has a plainer form. */
const denied =
  /\b(picture|pictures|share|shares|of our own|so many|go on|goes on|may be broken|told|asked|(?<!at )least|strangers?)\b/i;

describe('the help of inception', () => {
  it('covers every command', () => expect(commands.length).toBeGreaterThan(20));

  it.each(commands)('%s describes its arguments and options', (_, command) => {
    const items = [...command.options.filter(({ hidden }) => !hidden), ...command.registeredArguments];
    expect(command.description()).not.toBe('');
    expect(items.filter(({ description }) => description.trim() === '').map(String)).toEqual([]);
  });

  it.each(commands)('%s prints each default once, without quotes', (_, command) => {
    const help = command.createHelp();
    const lines = command.options
      .filter(({ hidden }) => !hidden)
      .map((option) => help.optionDescription(option));
    expect(lines.filter((line) => line.split('(default:').length > 2 || line.includes('default: "'))).toEqual(
      [],
    );
  });

  it.each(commands)('%s uses plain wording', (_, command) => {
    expect(command.helpInformation().replaceAll(/\s+/g, ' ')).not.toMatch(denied);
  });
});

describe('the commands that are loaded', () => {
  const names = async (...args: readonly string[]) =>
    (await createProgram(args)).commands.map((command) => command.name());

  it('are the one that is named, or none for --version', async () => {
    expect(await names('train', '--data', 'photos')).toEqual(['train']);
    expect(await names('--stack', 'similar', 'model')).toEqual(['similar']);
    expect(await names('help', 'summary')).toEqual(['summary']);
    expect(await names('--version')).toEqual([]);
  });

  it('are all for the help, for another name of one and for what may be a slip', async () => {
    const all = await names();
    expect(all).toContain('train');
    for (const args of [['--help'], ['help'], ['convert', 'model'], ['trian'], ['constructor']])
      expect(await names(...args)).toEqual(all);
  });
});

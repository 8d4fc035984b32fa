/** The help of every command: everything is described, each default appears once, and the wording is plain. */
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from './create-program.ts';

const leaves = (command: Command): Command[] =>
  command.commands.length === 0 ? [command] : [command, ...command.commands.flatMap(leaves)];

const nameOf = (command: Command): string =>
  command.parent ? `${nameOf(command.parent)} ${command.name()}`.trim() : '';

const commands = leaves(createProgram()).map((command) => [nameOf(command) || 'inception', command] as const);

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

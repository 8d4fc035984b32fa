import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addOutput, renamed } from './usage.ts';

const parse = (command: Command, args: readonly string[]): Record<string, unknown> =>
  command
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .parse(args, { from: 'user' })
    .opts();

describe('addOutput', () => {
  const command = () => addOutput(new Command(), { value: 'file', about: 'an SVG file' });

  it.each([['-o'], ['--output'], ['--out']])('accepts %s', (flag) => {
    expect(parse(command(), [flag, 'a.svg']).output).toBe('a.svg');
  });

  it('requires one of them, named by its documented spelling', () => {
    expect(() => parse(command(), [])).toThrow("required option '-o, --output <file>' not specified");
    expect(command().helpInformation()).toContain('an SVG file; also --out');
  });
});

describe('renamed', () => {
  it('refuses the old name, points to the new one, and is hidden from the help', () => {
    const command = () => new Command().addOption(renamed('--labels <file>', '--model-labels'));
    expect(() => parse(command(), ['--labels', 'a.txt'])).toThrow(
      '--labels: this option is now called --model-labels',
    );
    expect(command().helpInformation()).not.toContain('--labels');
  });
});

import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addOutput, renamed } from './usage.ts';

const parsed = (command: Command, args: readonly string[]): Record<string, unknown> =>
  command
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .parse(args, { from: 'user' })
    .opts();

describe('addOutput', () => {
  const command = () => addOutput(new Command(), { value: 'file', about: 'an SVG file' });

  it.each([['-o'], ['--output'], ['--out']])('takes %s', (flag) => {
    expect(parsed(command(), [flag, 'a.svg']).output).toBe('a.svg');
  });

  it('needs one of them, and says so by the one spelling', () => {
    expect(() => parsed(command(), [])).toThrow("required option '-o, --output <file>' not specified");
    expect(command().helpInformation()).toContain('an SVG file; also --out');
  });
});

describe('renamed', () => {
  it('refuses the old name of an option with the new one, and is not in the help', () => {
    const command = () => new Command().addOption(renamed('--labels <file>', '--model-labels'));
    expect(() => parsed(command(), ['--labels', 'a.txt'])).toThrow(
      '--labels: the option is called --model-labels now',
    );
    expect(command().helpInformation()).not.toContain('--labels');
  });
});

import { describe, expect, it } from 'vitest';
import { InceptionError } from './errors.ts';
import { printable, quoted } from './printable.ts';

describe('printable', () => {
  it('escapes what a terminal would obey, and keeps lines and letters of any language', () => {
    expect(printable('\u001b[2J\u001b]0;owned\u0007')).toBe('\\u001b[2J\\u001b]0;owned\\u0007');
    expect(printable('a\rb\u009bc\u202ed')).toBe('a\\u000db\\u009bc\\u202ed');
    expect(printable('猫\tü\n…')).toBe('猫\tü\n…');
  });

  it('cuts each line and says by how much', () => {
    expect(printable('abcdef\nab', 4)).toBe('abcd… (2 more characters)\nab');
  });

  it('quotes a name on one line', () => {
    expect(quoted('a\nb')).toBe("'a\\nb'");
    expect(quoted('x'.repeat(1e6))).toBe(`'${'x'.repeat(200)}… (999800 more characters)'`);
  });

  it('is what every error of the package says', () => {
    expect(new InceptionError(`tensor '\u001b[31m'`).message).toBe("tensor '\\u001b[31m'");
    expect(new InceptionError('x'.repeat(1e7)).message).toHaveLength(2027);
    const cause = new Error('inner');
    expect(new InceptionError('outer', { cause }).cause).toBe(cause);
  });
});

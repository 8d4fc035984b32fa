import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandBraces } from './expand-braces.ts';

/** bash's own answer to many texts at once. */
const byBash = (texts: readonly string[]): string[][] =>
  execFileSync('bash', ['-c', texts.map((text) => `printf '%s\\0' ${text}; echo`).join('\n')], {
    encoding: 'utf8',
  })
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\0').slice(0, -1));

describe('names of shards in braces', () => {
  it.each([
    'train-{0000..0003}.tar',
    '{a,b}-{8..10}.tar',
    '{3..1}',
    '{0..10..5}',
    '{01..10..4}',
    '{-2..2}',
    '{-01..1}',
    'x{a,{b,c}d}y',
    '{a,}b',
    'plain.tar',
    '{0000..0001}/{x,y}-{1..2}.tar',
  ])('%s stands for what it does in a shell', (text) => {
    expect(expandBraces(text)).toEqual(byBash([text])[0]);
  });

  it('any lists and ranges stand for what they do in a shell', () => {
    const name = fc.stringMatching(/^[a-z]{0,3}$/);
    const range = fc
      .tuple(fc.integer({ min: -12, max: 12 }), fc.integer({ min: -12, max: 120 }), fc.boolean())
      .map(([a, b, isPadded]) => `{${isPadded && a >= 0 ? String(a).padStart(3, '0') : a}..${b}}`);
    const list = fc.array(name, { minLength: 2, maxLength: 3 }).map((names) => `{${names.join(',')}}`);
    const text = fc
      .array(fc.oneof(name, range, list), { minLength: 1, maxLength: 3 })
      .map((parts) => `x${parts.join('')}.tar`);
    const texts = fc.sample(text, { numRuns: 40, seed: 1 });
    expect(texts.map(expandBraces)).toEqual(byBash(texts));
  });

  it('more than a million names are none', () => {
    expect(expandBraces('{0..2000000}')).toBeUndefined();
    expect(expandBraces('{0..2000}{0..2000}')).toBeUndefined();
  });

  it('braces that hold neither a list nor a range are letters', () => {
    expect(expandBraces('a{b}{.tar')).toEqual(['a{b}{.tar']);
  });
});
